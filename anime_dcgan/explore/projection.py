"""The latent whose face comes nearest to a picture, by optimisation.

As Zhu et al. 2016 (arXiv 1609.03552, section 3.1) without an encoder: the distance of pixels is
taken on several scales, and many starts compete, because a single one ends in the nearest hollow.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from anime_dcgan.model.base import Generator
from anime_dcgan.system.errors import UserError

CANDIDATES = 256  # random latents, of which the nearest start
STARTS = ((0.0, 8), (0.15, 4), (0.35, 2), (0.6, 1))  # (from this share of the steps on, so many)
RATE = 0.1
PRIOR = 0.02  # weight of a latent's unlikely length
SMALLEST = 8  # px of the coarsest scale


@dataclass(frozen=True, eq=False)
class Found:
    """The best latent so far; `distance` is a mean absolute difference of values in [-1, 1]."""

    step: int
    latent: Float[Tensor, " d"]
    distance: float


def project(
    generator: Generator, target: Float[Tensor, "3 h w"], steps: int = 300, seed: int = 0
) -> Iterator[Found]:
    """The best after the start and after each step; its distance never grows.

    `target` has the size of the generator's images and values in [-1, 1]. The generator is left
    as it was. Deterministic in `seed`.
    """
    if steps < 1:
        raise UserError("a picture is approached in one step or more")
    latents = _nearest_candidates(generator, target, seed).requires_grad_()
    optimizer = torch.optim.Adam([latents], lr=RATE)
    best = Found(0, latents[0].detach().clone(), torch.inf)
    for step in range(steps + 1):
        if len(latents) > (keep := _starts_at(step / steps)):
            latents, optimizer = _drop_worst(generator, target, latents.detach(), keep, optimizer)
        with torch.enable_grad():
            distances = multiscale_distance(generator(latents), target)
        best = _better(best, latents.detach(), distances.detach())
        yield Found(step, best.latent, best.distance)
        if step < steps:
            optimizer.param_groups[0]["lr"] = RATE * min(1.0, 2 * (1 - step / steps))
            with torch.enable_grad():
                (distances + PRIOR * _unlikely(latents)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()


def _better(best: Found, latents: Float[Tensor, "n d"], distances: Float[Tensor, " n"]) -> Found:
    distance, nearest = distances.min(dim=0)
    if distance >= best.distance:
        return best
    return Found(best.step, latents[int(nearest)].clone(), float(distance))


def multiscale_distance(
    images: Float[Tensor, "n 3 h w"], target: Float[Tensor, "3 h w"]
) -> Float[Tensor, " n"]:
    """Mean absolute difference, averaged over the image and its halvings down to 8 px."""
    difference = images.float() - target
    scales = [difference.abs().mean(dim=(1, 2, 3))]
    while min(difference.shape[-2:]) >= 2 * SMALLEST:
        difference = avg_pool2d(difference, 2)
        scales.append(difference.abs().mean(dim=(1, 2, 3)))
    return torch.stack(scales).mean(dim=0)


def _unlikely(latents: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """How far the mean square of each is from the 1 that it has in a standard normal latent."""
    return (latents.square().mean(dim=1) - 1).square()


@torch.no_grad()
def _nearest_candidates(
    generator: Generator, target: Tensor, seed: int
) -> Float[Tensor, "starts d"]:
    random = torch.Generator().manual_seed(seed)
    latents = torch.randn(CANDIDATES, generator.latent_dim, generator=random)
    distances = [multiscale_distance(generator(part), target) for part in latents.split(32)]
    return latents[torch.cat(distances).argsort()[: STARTS[0][1]]].clone()


def _starts_at(share: float) -> int:
    return next(count for start, count in reversed(STARTS) if share >= start)


def _drop_worst(
    generator: Generator, target: Tensor, latents: Tensor, keep: int, before: torch.optim.Optimizer
) -> tuple[Tensor, torch.optim.Optimizer]:
    """The nearest `keep` latents, and an optimizer that goes on with their moments."""
    with torch.no_grad():
        order = multiscale_distance(generator(latents), target).argsort()[:keep]
    kept = latents[order].clone().requires_grad_()
    optimizer = torch.optim.Adam([kept], lr=RATE)
    (moments,) = before.state.values()
    optimizer.state[kept] = {
        name: value[order].clone() if value.ndim else value.clone()
        for name, value in moments.items()
    }
    return kept, optimizer
