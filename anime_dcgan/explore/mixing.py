"""Between and beside faces: arithmetic of latents that stays where a generator knows its way.

Latents are standard normal, so that nearly all of them lie close to the sphere of radius
sqrt(latent_dim). Plain means fall inside it, where no face was ever trained (White 2016,
arXiv 1609.04468); what is made here keeps the lengths of its parents.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.sampling.latent import slerp
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.errors import UserError


def between(corners: Float[Tensor, "n d"], steps: int) -> Float[Tensor, "m d"]:
    """From each corner to the next in `steps` equal steps along great circles, ends included.

    m is (n - 1) * steps + 1.
    """
    if len(corners) < 2 or steps < 1:
        raise UserError("a way leads from one face to another in one step or more")
    way = [
        slerp(start, end, step / steps) for start, end in pairwise(corners) for step in range(steps)
    ]
    return torch.stack([*way, corners[-1]])


def blend(parents: Float[Tensor, "n d"], shares: Sequence[float]) -> Float[Tensor, " d"]:
    """The direction of the weighted sum, at the weighted mean of the parents' lengths.

    Shares are made to sum to 1. With two parents of equal length this lies on the great circle
    between them. Where the sum vanishes (opposite parents) the first one is returned.
    """
    weights = torch.tensor(list(shares), dtype=parents.dtype)
    if len(weights) != len(parents) or not bool((weights >= 0).all()) or not weights.sum() > 0:
        raise UserError("each parent needs a share of 0 or more, and one of them more than 0")
    weights = weights / weights.sum()
    total = weights @ parents
    if total.norm() < 1e-6:
        return parents[0].clone()
    return total * (weights @ parents.norm(dim=1) / total.norm())


def breed(
    parents: Float[Tensor, "n d"], children: int, variation: float, seed: int
) -> Float[Tensor, "children d"]:
    """Children: each a blend of its own of the parents, and something that none of them has.

    Parameters:
        variation: 0 to 1; the square root of it is the share of chance in a child's latent, so
            that 0 gives blends alone and 1 strangers.
        seed: child i depends on (parents, variation, seed + i) alone.

    The shares of the parents are uniform on the simplex.
    """
    if not 0 <= variation <= 1:
        raise UserError(f"variation={variation:g} is no number from 0 to 1")
    if children < 1 or not 0 <= seed <= MAX_SEED - children + 1:
        raise UserError(f"children are 1 or more, and their seeds lie in 0..{MAX_SEED}")
    return torch.stack([_child(parents, variation, seed + number) for number in range(children)])


def _child(parents: Float[Tensor, "n d"], variation: float, seed: int) -> Float[Tensor, " d"]:
    random = torch.Generator().manual_seed(seed)
    shares = torch.empty(len(parents)).exponential_(generator=random).tolist()
    chance = torch.randn(parents.shape[1], generator=random)
    return (1 - variation) ** 0.5 * blend(parents, shares) + variation**0.5 * chance
