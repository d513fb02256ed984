"""The diversity of a set of images. All functions take features, one row per image."""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 1024  # rows whose distances are in memory at a time


def diversity(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """Return the diversity of fakes relative to real images: 1 means equal, 0 all the same.

    It is the lower of two ratios: of the mean distance within a set, and of the effective rank. The
    first detects faces that are all the same; the second detects one face in several colours,
    which may lie as far apart as different faces do, but along few directions.
    """
    measures = (mean_distance, effective_rank)
    return min(measure(fake) / max(measure(real), 1e-12) for measure in measures)


def mean_distance(points: Float[Tensor, "n d"]) -> float:
    """Return the mean Euclidean distance between two different points; at least two points."""
    total = sum(torch.cdist(block, points).sum().item() for block in points.split(BLOCK))
    return total / (len(points) * (len(points) - 1))


def effective_rank(points: Float[Tensor, "n d"]) -> float:
    """Return the effective number of dimensions of the points, in [1, d]; 0 if all are the same.

    It is the exponential of the entropy of the normalised eigenvalues of the covariance (Roy &
    Vetterli 2007, "The effective rank", definition 1). It is invariant to the scale of the points.
    """
    centred = points.float() - points.float().mean(dim=0)
    smaller = centred if len(centred) < centred.shape[1] else centred.T
    variances = torch.linalg.eigvalsh(smaller @ smaller.T).clamp_min(0)
    if (total := variances.sum()) == 0:
        return 0.0
    return torch.special.entr(variances / total).sum().exp().item()
