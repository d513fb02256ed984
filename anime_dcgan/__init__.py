"""Train a GAN on small pictures."""

__version__ = "0.2.0"
