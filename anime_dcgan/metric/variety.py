"""How varied the members of a set are. All functions take features, one row an image."""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 1024  # rows whose distances are in memory at a time


def diversity(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """How varied the fakes are, over how varied real images are: 1 is as varied, 0 all alike.

    The lesser of two such ratios: of the mean distance between two of a set, and of the effective
    rank. The first sees faces that are all the same; the second one face in several colours, which
    may lie as far apart as different faces do, but along few directions.
    """
    measures = (mean_distance, effective_rank)
    return min(measure(fake) / max(measure(real), 1e-12) for measure in measures)


def mean_distance(points: Float[Tensor, "n d"]) -> float:
    """Mean Euclidean distance between two different points of a set; at least two points."""
    total = sum(torch.cdist(block, points).sum().item() for block in points.split(BLOCK))
    return total / (len(points) * (len(points) - 1))


def effective_rank(points: Float[Tensor, "n d"]) -> float:
    """Along how many directions points differ: from 1, at most d; 0 where all are the same.

    The exponential of the entropy of the eigenvalues of the covariance, taken as shares of their
    sum: Roy & Vetterli 2007, "The effective rank", definition 1, of the covariance. It does not
    depend on the scale of the points.
    """
    centred = points.float() - points.float().mean(dim=0)
    few = centred if len(centred) < centred.shape[1] else centred.T
    variances = torch.linalg.eigvalsh(few @ few.T).clamp_min(0)
    if (total := variances.sum()) == 0:
        return 0.0
    return torch.special.entr(variances / total).sum().exp().item()
