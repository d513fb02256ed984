"""Train a GAN on small pictures."""

__version__ = "0.1.0"
