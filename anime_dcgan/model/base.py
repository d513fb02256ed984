"""Base classes of the generators and discriminators."""

from torch import nn

from anime_dcgan.system.errors import UserError


class Generator(nn.Module):
    """Map latents of shape (n, latent_dim) to images of shape (n, 3, h, w) in [-1, 1]."""

    latent_dim: int

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise UserError(
                f"model.latent_dim={latent_dim} gives every face the same latent: use 1 or more"
            )
        self.latent_dim = latent_dim


class Discriminator(nn.Module):
    """Map images of shape (n, 3, h, w) in [-1, 1] to raw logits of shape (n,).

    A higher logit means "more real".
    """


def check_width(player: str, width: int) -> None:
    """Raise `UserError` if a network of that width has no channels."""
    if width < 1:
        raise UserError(f"model.{player}.width={width} leaves no channels: use 1 or more")
