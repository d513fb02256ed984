"""The mapping network of StyleGAN, arXiv 1812.04948, which makes styles of latents."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.model.layers import EqualisedLinear

LEAK = 0.2  # negative slope of every leaky ReLU
GAIN = math.sqrt(2)  # of every leaky ReLU
MEAN_LATENTS = 1024  # of the mean style of a label
MEAN_SEED = 0x3EA7
MAPPING_RATE = 0.01  # learning rate of the mapping network as a multiple of the optimizer's


class Mapping(nn.Sequential):
    """Map latents to styles by linear layers and leaky ReLUs at a hundredth of the learning rate.

    The latents, and the embedding of a label that may follow them, are each divided by their root
    mean square first. It is computed in float32.
    """

    def __init__(
        self, latent_dim: int, style_dim: int, layers: int, embedding_dim: int = 0
    ) -> None:
        widths = [latent_dim + embedding_dim, *[style_dim] * layers]
        stack: list[nn.Module] = []
        for before, after in pairwise(widths):
            stack += [
                EqualisedLinear(before, after, rate=MAPPING_RATE, gain=GAIN),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
        super().__init__(*stack)
        self.parts = [latent_dim, embedding_dim]

    def forward(self, input: Float[Tensor, "n d"]) -> Float[Tensor, "n style_dim"]:
        with torch.autocast(input.device.type, enabled=False):
            parts = input.split(self.parts, dim=1)
            return super().forward(torch.cat([_normalise(part) for part in parts], dim=1))


@torch.no_grad()
def mean_styles(
    style: Callable[[Tensor, Tensor], Tensor], latent_dim: int, labels: Float[Tensor, "n classes"]
) -> Float[Tensor, "n style_dim"]:
    """Return the mean style of each label, over fixed latents.

    It is computed when it is needed. A running mean for each class would be that of few images
    where the class is rare, and there would be none for mixtures of classes.

    Parameters:
        style: returns the styles of latents and labels.
    """
    random = torch.Generator().manual_seed(MEAN_SEED)
    half = torch.randn(MEAN_LATENTS // 2, latent_dim, generator=random).to(labels.device)
    latents = torch.cat([half, -half])
    distinct, rows = labels.unique(dim=0, return_inverse=True)
    means = [style(latents, label.expand(len(latents), -1)).mean(0) for label in distinct]
    return torch.stack(means)[rows]


def _normalise(vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    if vectors.shape[1] == 0:
        return vectors
    return vectors * (vectors.square().mean(1, keepdim=True) + 1e-8).rsqrt()
