"""Base classes of the generators and discriminators."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.system.errors import UserError

NOISE_SEED = 0x40000000  # of noise for images that have no seed


class Generator(nn.Module):
    """Map latents of shape (n, latent_dim) to images of shape (n, 3, h, w).

    Real images lie in [-1, 1]. So do the images of a generator that ends with a tanh; those of
    others may exceed it, and are clipped when they become pixels (`sampling.image.to_uint8`).

    The images are computed from styles, one for each layer that takes one, and the styles are
    computed from the latents. A plain generator defines `forward` alone: its only style is the
    latent. A generator with a style space defines `styles` and `synthesise`, and its `forward`
    applies one after the other.

    Attributes:
        latent_dim: dimension of the latents, which are standard normal.
        noise_dim: number of standard normal values that vary the details of an image; 0 if the
            image depends on the latent alone. Otherwise `forward` and `synthesise` take noise of
            shape (n, noise_dim); without it they draw noise in training, and use that of
            `fixed_noise` for all images in evaluation mode.
        standing_statistics: True if truncated latents need statistics of batch normalisation of
            their own, as `sampling.standing` computes them.
    """

    latent_dim: int
    noise_dim: int = 0
    standing_statistics: bool = False

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise UserError(
                f"model.latent_dim={latent_dim} gives every face the same latent: use 1 or more"
            )
        self.latent_dim = latent_dim

    def styles(
        self, latents: Float[Tensor, "n latent_dim"]
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Return the styles of an image from coarse to fine layers."""
        return latents.unsqueeze(1)

    def synthesise(
        self,
        styles: Float[Tensor, "n style_layers style_dim"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return the images of these styles."""
        return self(styles.squeeze(1))

    def truncate(
        self, styles: Float[Tensor, "n style_layers style_dim"], truncation: float
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Move styles towards their mean: 1 leaves them as they are, 0 gives the mean.

        Images become more typical and less varied (the truncation trick, arXiv 1809.11096, section
        3.1, and arXiv 1812.04948, section 2). The mean of latents is 0.
        """
        return truncation * styles

    def fixed_noise(self, rows: Sequence[int] = (0,)) -> Float[Tensor, "n noise_dim"]:
        """Return noise for images that have no seed; each row is always the same."""
        seeds = (NOISE_SEED + row for row in rows)
        noise = [
            torch.randn(self.noise_dim, generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        return torch.stack(noise)


class Discriminator(nn.Module):
    """Map images of shape (n, 3, h, w) in [-1, 1] to raw logits of shape (n,).

    A higher logit means "more real".
    """

    def layers_from_image(self) -> Sequence[Sequence[nn.Module]]:
        """Return the layers that a training can keep, the nearest to the image first.

        Each consists of one or several modules, with all weights of that layer. The layers that
        compute the logit from the last maps are not among them.
        """
        return ()


def check_width(player: str, width: int) -> None:
    """Raise `UserError` if a network of that width has no channels."""
    if width < 1:
        raise UserError(f"model.{player}.width={width} leaves no channels: use 1 or more")
