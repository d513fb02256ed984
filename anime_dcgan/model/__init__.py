"""Pairs of networks, one module each: a `Generator` and a `Discriminator`."""
