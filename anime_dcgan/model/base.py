"""What every pair of networks here has in common."""

from torch import nn

from anime_dcgan.system.errors import UserError


class Generator(nn.Module):
    """Turns latents of shape (n, latent_dim) into images of shape (n, 3, h, w) in [-1, 1]."""

    latent_dim: int

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise UserError(
                f"model.latent_dim={latent_dim} tells no face from another: use 1 or more"
            )
        self.latent_dim = latent_dim


class Discriminator(nn.Module):
    """Turns images of shape (n, 3, h, w) in [-1, 1] into raw logits of shape (n,).

    A higher logit means "more real".
    """


def check_width(player: str, width: int) -> None:
    """Raise UserError unless there is a channel at least."""
    if width < 1:
        raise UserError(f"model.{player}.width={width} leaves no channels: use 1 or more")
