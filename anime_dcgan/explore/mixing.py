"""Latent arithmetic: interpolation, blending and breeding.

Standard normal latents concentrate near the sphere of radius sqrt(latent_dim). Plain averages
fall inside it, where the generator was never trained (White 2016, arXiv 1609.04468), so the
functions here preserve the norms of the parents. Styles of a mapping network have no such sphere:
they are mixed on straight lines (`straight=True`).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.sampling.latent import slerp
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.errors import UserError


def interpolate(
    latents: Float[Tensor, "n d"], steps: int, straight: bool = False
) -> Float[Tensor, "m d"]:
    """Interpolate from each latent to the next in `steps` equal steps along great circles.

    The result includes both ends: m = (n - 1) * steps + 1.
    """
    if len(latents) < 2 or steps < 1:
        raise UserError("an interpolation needs at least two faces and at least one step")
    between = torch.lerp if straight else slerp
    path = [
        between(start, end, step / steps)
        for start, end in pairwise(latents)
        for step in range(steps)
    ]
    return torch.stack([*path, latents[-1]])


def blend(
    parents: Float[Tensor, "n d"], weights: Sequence[float], straight: bool = False
) -> Float[Tensor, " d"]:
    """Return the direction of the weighted sum, scaled to the weighted mean norm of the parents.

    Weights are normalised to sum to 1. For two parents of equal norm the result lies on the great
    circle between them. If the sum vanishes (opposite parents), the first parent is returned. A
    straight blend is the weighted sum itself.
    """
    fractions = torch.tensor(list(weights), dtype=parents.dtype)
    is_valid = len(fractions) == len(parents) and bool((fractions >= 0).all())
    if not is_valid or not fractions.sum() > 0:
        raise UserError("each parent needs a weight of at least 0, and the weights cannot all be 0")
    fractions = fractions / fractions.sum()
    total = fractions @ parents
    if straight:
        return total
    if total.norm() < 1e-6:
        return parents[0].clone()
    return total * (fractions @ parents.norm(dim=1) / total.norm())


def breed(
    parents: Float[Tensor, "n d"],
    children: int,
    variation: float,
    seed: int,
    stranger: Callable[[int], Float[Tensor, " d"]] | None = None,
) -> Float[Tensor, "children d"]:
    """Return children, each a random blend of the parents plus noise.

    Blend weights are drawn uniformly from the simplex.

    Parameters:
        variation: fraction of noise in the variance of a child's latent, in [0, 1]: 0 gives pure
            blends, 1 gives unrelated faces.
        seed: child i depends on (parents, variation, seed + i) only.
        stranger: the style of a seed. With it children are straight blends, and `variation` is the
            fraction of the way to the style of the child's seed.
    """
    if not 0 <= variation <= 1:
        raise UserError(f"variation={variation:g} must be a number from 0 to 1")
    if children < 1 or not 0 <= seed <= MAX_SEED - children + 1:
        raise UserError(f"children must be at least 1, and their seeds must lie in 0..{MAX_SEED}")
    seeds = range(seed, seed + children)
    return torch.stack([_child(parents, variation, each, stranger) for each in seeds])


def _child(
    parents: Float[Tensor, "n d"],
    variation: float,
    seed: int,
    stranger: Callable[[int], Float[Tensor, " d"]] | None,
) -> Float[Tensor, " d"]:
    random = torch.Generator().manual_seed(seed)
    weights = torch.empty(len(parents)).exponential_(generator=random).tolist()
    if stranger is not None:
        return torch.lerp(blend(parents, weights, straight=True), stranger(seed), variation)
    noise = torch.randn(parents.shape[1], generator=random)
    return (1 - variation) ** 0.5 * blend(parents, weights) + variation**0.5 * noise
