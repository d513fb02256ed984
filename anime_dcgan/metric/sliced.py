"""Sliced Wasserstein distance of patches, scale by scale: Karras et al. 2018, arXiv 1710.10196.

It needs no trained weights. Section 5 of the paper: a Laplacian pyramid of each image, random 7x7
patches of each of its levels, each set of patches normalised by the mean and the standard
deviation of its colour channels, and the Wasserstein distance of their projections on random
directions. The level of 16 px tells how alike the large structure is, the finest one how alike
the grain.
"""

import functools
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from anime_dcgan.metric.base import Description, Images, Metric
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.errors import UserError

PATCH = 7  # px
COARSEST = 16  # px, the last level of the pyramid
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


class SlicedWasserstein(Metric):
    """The distance at each level, times 1,000 as in the paper, and their mean.

    Parameters:
        patches: of each image at each level; the paper has 128 of each of 16,384 images.
        directions: on which the patches are projected; the paper has 512.
        headline: which of the distances chooses the best epoch.
    """

    def __init__(
        self, patches: int = 8, directions: int = 256, headline: str = "swd/mean", seed: int = 0
    ) -> None:
        for name, value in (("patches", patches), ("directions", directions)):
            if value < 1:
                raise UserError(f"metric.{name}={value} is too small: use metric.{name}=1 or more")
        self.name = "swd"
        self.headline = headline
        self.patches = patches
        self.directions = directions
        self.seed = seed

    def settings(self) -> dict[str, str | int | float]:
        return {
            "name": self.name,
            "patches": self.patches,
            "directions": self.directions,
            "seed": self.seed,
        }

    def describe(self, batches: Iterable[Images], device: torch.device) -> Description:
        """Sorted projections `swd/<px>`, (directions, n * patches), and thumbnails as features."""
        random = torch.Generator().manual_seed(self.seed)
        patches: dict[str, list[Tensor]] = {}
        thumbnails = []
        for batch in batches:
            images = to_float(batch.to(device))
            thumbnails.append(_thumbnails(images))
            for level in laplacian_pyramid(images):
                taken = random_patches(level, self.patches, random)
                patches.setdefault(f"swd/{level.shape[-1]}", []).append(taken)
        described = {name: self._project(torch.cat(parts)) for name, parts in patches.items()}
        return {**described, "features": torch.cat(thumbnails)}

    def features(self, batches: Iterable[Images], device: torch.device) -> Tensor:
        return torch.cat([_thumbnails(to_float(batch.to(device))) for batch in batches])

    def distances(self, real: Description, other: Description) -> dict[str, float]:
        levels = sorted((name for name in real if name.startswith("swd/")), key=_pixels)
        values = {
            level: 1000 * (real[level] - other[level]).abs().mean().item() for level in levels
        }
        return {**values, "swd/mean": sum(values.values()) / len(values)}

    def _project(self, patches: Float[Tensor, "p c h w"]) -> Float[Tensor, "directions p"]:
        mean = patches.mean(dim=(0, 2, 3), keepdim=True)
        deviation = patches.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-8)
        rows = ((patches - mean) / deviation).flatten(1)
        random = torch.Generator().manual_seed(self.seed)
        directions = torch.randn(self.directions, rows.shape[1], generator=random).to(rows)
        directions /= directions.norm(dim=1, keepdim=True)
        return (directions @ rows.T).sort(dim=1).values


def laplacian_pyramid(images: Float[Tensor, "n c h w"]) -> list[Float[Tensor, "n c _ _"]]:
    """Band-pass levels from the finest on, and at last what remains at 16 px (or above)."""
    levels = []
    while images.shape[-1] >= 2 * COARSEST and images.shape[-1] % 2 == 0:
        smaller = halve(images)
        levels.append(images - double(smaller))
        images = smaller
    return [*levels, images]


def halve(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h/2 w/2"]:
    """Blur square images and take every second pixel: by matrices, which is faster than filters."""
    rows = _blur_matrix(images.shape[-1]).to(images)[::2]
    return rows @ images @ rows.T


def double(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 2*h 2*w"]:
    """Zeros between the pixels, then the blur: the pyramid's own way up (Burt & Adelson 1983)."""
    columns = 2 * _blur_matrix(2 * images.shape[-1]).to(images)[:, ::2]
    return columns @ images @ columns.T


@functools.cache
def _blur_matrix(side: int) -> Float[Tensor, "side side"]:
    """The binomial filter along one axis, mirrored at the borders."""
    matrix = torch.zeros(side, side)
    for centre in range(side):
        for shift, weight in enumerate(BINOMIAL, start=-2):
            place = abs(centre + shift)
            matrix[centre, min(place, 2 * (side - 1) - place)] += weight
    return matrix


def random_patches(
    images: Float[Tensor, "n c h w"], count: int, random: torch.Generator
) -> Float[Tensor, "p c k k"]:
    """`count` square patches at random places of each image; p = n * count."""
    side = min(PATCH, images.shape[-1])
    windows = images.unfold(2, side, 1).unfold(3, side, 1)
    places = windows.shape[2] * windows.shape[3]
    chosen = torch.randint(places, (len(images), count), generator=random).to(images.device)
    rows = torch.arange(len(images), device=images.device)[:, None]
    across = windows.shape[3]
    return windows[rows, :, chosen // across, chosen % across].flatten(0, 1)


def _thumbnails(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
    """The images at 16 px at most, one row each."""
    side = min(COARSEST, images.shape[-1])
    return functional.adaptive_avg_pool2d(images, side).flatten(1)


def _pixels(level: str) -> int:
    return int(level.partition("/")[2])
