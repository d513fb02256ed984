"""What every pair of networks here has in common."""

from torch import nn


class Generator(nn.Module):
    """Turns latents of shape (n, latent_dim) into images of shape (n, 3, h, w) in [-1, 1]."""

    latent_dim: int

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim


class Discriminator(nn.Module):
    """Turns images of shape (n, 3, h, w) in [-1, 1] into raw logits of shape (n,).

    A higher logit means "more real".
    """
