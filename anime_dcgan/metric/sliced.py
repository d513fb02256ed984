"""Sliced Wasserstein distance of patches at several scales: Karras et al. 2018, arXiv 1710.10196.

It needs no trained weights. Section 5 of the paper: build a Laplacian pyramid of each image, take
random 7x7 patches of each level, normalise each set of patches by the mean and the standard
deviation of its colour channels, and compute the Wasserstein distance of their projections on
random directions. The level of 16 px compares the large-scale structure, the finest level the
texture.
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
from anime_dcgan.system.memory import check_memory

PATCH = 7  # px
MAX_PROJECTIONS = 65_536  # of patches or directions; the paper uses 128 and 512
BYTES_PER_PROJECTION = 16  # of the projection, and of its sorted copy with indices
MIN_SIDE = 16  # px; the last level of the pyramid
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


class SlicedWasserstein(Metric):
    """The distance at each level, multiplied by 1,000 as in the paper, and their mean.

    Parameters:
        patches: number per image and level; the paper uses 128 for each of 16,384 images.
        directions: number of random projections; the paper uses 512.
        headline: the distance that selects the best epoch.
    """

    def __init__(
        self, patches: int = 8, directions: int = 256, headline: str = "swd/mean", seed: int = 0
    ) -> None:
        for name, value in (("patches", patches), ("directions", directions)):
            if value < 1:
                raise UserError(
                    f"metric.{name}={value} must be at least 1: use metric.{name}=1 or more"
                )
            if value > MAX_PROJECTIONS:
                raise UserError(
                    f"metric.{name}={value} must be at most {MAX_PROJECTIONS}: "
                    f"use metric.{name}={MAX_PROJECTIONS}"
                )
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
        """Return sorted projections `swd/<px>`, (directions, n * patches), and `features`."""
        random = torch.Generator().manual_seed(self.seed)
        patches: dict[str, list[Tensor]] = {}
        thumbnails = []
        for batch in batches:
            images = to_float(batch.to(device))
            thumbnails.append(_thumbnails(images))
            for level in laplacian_pyramid(images):
                chosen = random_patches(level, self.patches, random)
                patches.setdefault(f"swd/{level.shape[-1]}", []).append(chosen)
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
        fix = "use a smaller metric.directions=... or metric.patches=..."
        needed = BYTES_PER_PROJECTION * self.directions * len(patches)
        check_memory(needed, f"metric.directions={self.directions}", fix)
        rows = ((patches - mean) / deviation).flatten(1)
        random = torch.Generator().manual_seed(self.seed)
        directions = torch.randn(self.directions, rows.shape[1], generator=random).to(rows)
        directions /= directions.norm(dim=1, keepdim=True)
        return (directions @ rows.T).sort(dim=1).values


def laplacian_pyramid(images: Float[Tensor, "n c h w"]) -> list[Float[Tensor, "n c _ _"]]:
    """Return the band-pass levels, finest first, and the low-pass residual at 16 px (or above)."""
    levels = []
    while images.shape[-1] >= 2 * MIN_SIDE and images.shape[-1] % 2 == 0:
        smaller = halve(images)
        levels.append(images - double(smaller))
        images = smaller
    return [*levels, images]


def halve(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h/2 w/2"]:
    """Blur square images and keep every second pixel; matrices are faster than filters here."""
    rows = _blur_matrix(images.shape[-1]).to(images)[::2]
    return rows @ images @ rows.T


def double(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 2*h 2*w"]:
    """Insert zeros between pixels and blur: the pyramid's upsampling (Burt & Adelson 1983)."""
    columns = 2 * _blur_matrix(2 * images.shape[-1]).to(images)[:, ::2]
    return columns @ images @ columns.T


@functools.cache
def _blur_matrix(side: int) -> Float[Tensor, "side side"]:
    """Return the binomial filter along one axis as a matrix, mirrored at the borders."""
    matrix = torch.zeros(side, side)
    for centre in range(side):
        for shift, weight in enumerate(BINOMIAL, start=-2):
            column = abs(centre + shift)
            matrix[centre, min(column, 2 * (side - 1) - column)] += weight
    return matrix


def random_patches(
    images: Float[Tensor, "n c h w"], count: int, random: torch.Generator
) -> Float[Tensor, "p c k k"]:
    """Return `count` square patches at random positions of each image; p = n * count."""
    side = min(PATCH, images.shape[-1])
    windows = images.unfold(2, side, 1).unfold(3, side, 1)
    positions = windows.shape[2] * windows.shape[3]
    chosen = torch.randint(positions, (len(images), count), generator=random).to(images.device)
    rows = torch.arange(len(images), device=images.device)[:, None]
    across = windows.shape[3]
    return windows[rows, :, chosen // across, chosen % across].flatten(0, 1)


def _thumbnails(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
    """Return the images at no more than 16 px, flattened to one row each."""
    side = min(MIN_SIDE, images.shape[-1])
    return functional.adaptive_avg_pool2d(images, side).flatten(1)


def _pixels(level: str) -> int:
    return int(level.partition("/")[2])
