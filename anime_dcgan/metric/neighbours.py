"""Coverage and memorisation, measured by distances between nearest neighbours.

All functions take features, one row per image, and are exact: they compare all pairs, in blocks.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

BLOCK = 1024  # rows whose distances are in memory at a time


def precision_recall(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3
) -> dict[str, float]:
    """Return improved precision and recall, arXiv 1904.06991, eq. 1 and 2; both in [0, 1].

    Precision is the fraction of fakes inside the k-nearest-neighbour ball of any real image;
    recall is the fraction of real images inside the k-nearest-neighbour ball of any fake.
    """
    return {
        "precision": _fraction_inside(fake, real, radii(real, k)),
        "recall": _fraction_inside(real, fake, radii(fake, k)),
    }


def density_coverage(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 5
) -> dict[str, float]:
    """Return density (>= 0; 1 for equal sets) and coverage in [0, 1]: arXiv 2002.09797, eq. 4, 5.

    Density is the mean number of real k-nearest-neighbour balls that contain a fake, over k;
    coverage is the fraction of real images whose ball contains a fake.
    """
    reach = radii(real, k)
    inside, nearest = 0.0, torch.full_like(reach, torch.inf)
    for block in fake.split(BLOCK):
        distances = torch.cdist(block, real)
        inside += (distances < reach).sum().item()
        nearest = torch.minimum(nearest, distances.amin(dim=0))
    return {
        "density": inside / (k * len(fake)),
        "coverage": (nearest < reach).float().mean().item(),
    }


def radii(points: Float[Tensor, "n d"], k: int) -> Float[Tensor, " n"]:
    """Return the distance of each point to its k-th nearest other point."""
    parts = [torch.cdist(block, points).kthvalue(k + 1).values for block in points.split(BLOCK)]
    return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest training image of each image."""

    rows: Int[Tensor, " n"]
    """Row of the nearest training image."""
    relative_distance: Float[Tensor, " n"]
    """Distance to it, divided by its own distance to the nearest other training image."""

    @property
    def memorised(self) -> float:
        """Fraction of images that are closer to a training image than its nearest other one."""
        return (self.relative_distance < 1).float().mean().item()


def nearest(images: Float[Tensor, "n d"], training: Float[Tensor, "m d"]) -> Nearest:
    """Find the nearest training image of each image, among at least two."""
    found = [torch.cdist(block, training).min(dim=1) for block in images.split(BLOCK)]
    distances = torch.cat([part.values for part in found])
    rows = torch.cat([part.indices for part in found])
    matched, position = rows.unique(return_inverse=True)
    to_others = torch.cat(
        [
            torch.cdist(block, training).kthvalue(2).values
            for block in training[matched].split(BLOCK)
        ]
    )
    return Nearest(rows, distances / to_others[position].clamp_min(1e-12))


def nearest_rows(
    images: Float[Tensor, "n d"], training: Float[Tensor, "m d"], count: int
) -> Int[Tensor, "n count"]:
    """Return the rows of the `count` nearest training images of each image, nearest first."""
    parts = [
        torch.cdist(block, training).topk(count, largest=False).indices
        for block in images.split(BLOCK)
    ]
    return torch.cat(parts)


def _fraction_inside(
    points: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], reach: Float[Tensor, " m"]
) -> float:
    inside = [(torch.cdist(block, centres) <= reach).any(dim=1) for block in points.split(BLOCK)]
    return torch.cat(inside).float().mean().item()
