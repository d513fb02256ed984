"""Project a picture onto the generator: optimise the latent or style whose face is nearest to it.

Follows Zhu et al. 2016 (arXiv 1609.03552, section 3.1) without an encoder. Pixel distances are
averaged over several scales, and several starts compete, because a single one gets stuck in a
local minimum.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.system.errors import UserError

CANDIDATES = 256  # random latents, of which the nearest are optimised
STARTS = ((0.0, 8), (0.15, 4), (0.35, 2), (0.6, 1))
"""(fraction of the steps, number of latents optimised from there on)"""
LEARNING_RATE = 0.1
PRIOR_WEIGHT = 0.02
Variables = Literal["latent", "style", "layers"]
Draw = Callable[[Tensor], Tensor]

MIN_SIZE = 8  # px of the coarsest scale


@dataclass(frozen=True, eq=False)
class Projection:
    """The best latent, style or styles of all layers so far.

    `distance` is the mean absolute difference of pixels in [-1, 1] from the face as it is drawn.
    """

    step: int
    latent: Float[Tensor, " d"]
    distance: float
    variables: Variables = "latent"


def project(
    generator: Generator,
    target: Float[Tensor, "3 h w"],
    steps: int = 300,
    seed: int = 0,
    variables: Variables = "latent",
) -> Iterator[Projection]:
    """Yield the best latent at the start and after each step; its distance never increases.

    `target` has the size of the generator's images and values in [-1, 1]. The generator is not
    modified. The result is deterministic in `seed`. A label that the generator does not set is
    that of `with_nearest_label`.

    Parameters:
        variables: the values to optimise, starting from random latents: the latent, one style for
            all layers, or one for each layer (arXiv 1904.03189), which comes nearest to pictures
            that the generator has not drawn.
    """
    if steps < 1:
        raise UserError("a projection needs at least one step")
    generator = with_nearest_label(generator, target, seed)
    draw, latents = _start(generator, _nearest_candidates(generator, target, seed), variables)
    rate = LEARNING_RATE if variables == "latent" else LEARNING_RATE * float(latents.std())
    prior_weight = PRIOR_WEIGHT if variables == "latent" else 0.0
    latents.requires_grad_()
    optimizer = torch.optim.Adam([latents], lr=rate)
    best = Projection(0, latents[0].detach().clone(), torch.inf, variables)
    for step in range(steps + 1):
        if len(latents) > (count := _count_at(step / steps)):
            latents, optimizer = _keep_nearest(draw, target, latents.detach(), count, optimizer)
        with torch.enable_grad():
            images = draw(latents)
            distances = multiscale_distance(images, target)
        shown = multiscale_distance(images.detach().clamp(-1, 1), target)
        best = _best_of(best, latents.detach(), shown)
        yield replace(best, step=step)
        if step < steps:
            optimizer.param_groups[0]["lr"] = rate * min(1.0, 2 * (1 - step / steps))
            with torch.enable_grad():
                (distances + prior_weight * _prior_penalty(latents)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()


@torch.no_grad()
def with_nearest_label(
    generator: Generator, target: Float[Tensor, "3 h w"], seed: int = 0
) -> Generator:
    """Return the generator with the label of the random face that is nearest to the picture.

    A generator without labels, or with a default label, is returned as it is.
    """
    labels = generator.labels_of_seeds(range(CANDIDATES))
    if labels is None or generator.default_label is not None:
        return generator
    distances = _candidate_distances(generator, target, _candidates(generator, seed), labels)
    nearest = labels[int(distances.argmin())]
    with torch.inference_mode(False):
        return generator.of_label(generator.labels[int(nearest.argmax())])


@torch.no_grad()
def _start(
    generator: Generator, latents: Float[Tensor, "n latent_dim"], variables: Variables
) -> tuple[Draw, Float[Tensor, "n d"]]:
    """Return the function that draws from the variables, and their values for these latents."""
    space = StyleSpace.of(generator)
    check_variables(space, variables)
    if variables == "latent":
        return generator, latents
    styles = generator.styles(latents)
    values = styles[:, 0] if variables == "style" else styles.flatten(1)
    return lambda values: generator.synthesise(space.unflatten(values)), values.clone()


def check_variables(space: StyleSpace, variables: Variables) -> None:
    """Raise `UserError` if a generator has no such values."""
    if variables != "latent" and not space.has_mapping:
        raise UserError(
            f"variables={variables} needs a mapping network: use a run of model=stylegan2, "
            "or variables=latent"
        )


@torch.no_grad()
def face_values(generator: Generator, projection: Projection) -> Float[Tensor, " values"]:
    """Return the latent by which a face is stored: its styles, with the embedding of its label."""
    if projection.variables != "latent":
        return projection.latent
    space = StyleSpace.of(generator)
    return space.flatten(generator.styles(projection.latent[None]))[0]


def _best_of(
    best: Projection, latents: Float[Tensor, "n d"], distances: Float[Tensor, " n"]
) -> Projection:
    distance, nearest = distances.min(dim=0)
    if distance >= best.distance:
        return best
    return replace(best, latent=latents[int(nearest)].clone(), distance=float(distance))


def multiscale_distance(
    images: Float[Tensor, "n 3 h w"], target: Float[Tensor, "3 h w"]
) -> Float[Tensor, " n"]:
    """Return the mean absolute difference, averaged over image scales halved down to 8 px."""
    difference = images.float() - target
    scales = [difference.abs().mean(dim=(1, 2, 3))]
    while min(difference.shape[-2:]) >= 2 * MIN_SIZE:
        difference = avg_pool2d(difference, 2)
        scales.append(difference.abs().mean(dim=(1, 2, 3)))
    return torch.stack(scales).mean(dim=0)


def _prior_penalty(latents: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Return the squared deviation of each mean square from 1, its value for normal latents."""
    return (latents.square().mean(dim=1) - 1).square()


@torch.no_grad()
def _nearest_candidates(
    generator: Generator, target: Tensor, seed: int
) -> Float[Tensor, "starts d"]:
    latents = _candidates(generator, seed)
    distances = _candidate_distances(generator, target, latents)
    return latents[distances.argsort()[: STARTS[0][1]]].clone()


def _candidates(generator: Generator, seed: int) -> Float[Tensor, "n d"]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(CANDIDATES, generator.latent_dim, generator=random)


def _candidate_distances(
    generator: Generator,
    target: Float[Tensor, "3 h w"],
    latents: Float[Tensor, "n d"],
    labels: Float[Tensor, "n classes"] | None = None,
) -> Float[Tensor, " n"]:
    rows = torch.arange(len(latents)).split(32)
    return torch.cat(
        [
            multiscale_distance(
                generator(latents[some], labels=None if labels is None else labels[some]), target
            )
            for some in rows
        ]
    )


def _count_at(progress: float) -> int:
    return next(count for start, count in reversed(STARTS) if progress >= start)


def _keep_nearest(
    draw: Draw, target: Tensor, latents: Tensor, count: int, previous: torch.optim.Adam
) -> tuple[Tensor, torch.optim.Adam]:
    """Return the nearest `count` latents and an optimizer that continues with their moments."""
    with torch.no_grad():
        order = multiscale_distance(draw(latents), target).argsort()[:count]
    kept = latents[order].clone().requires_grad_()
    optimizer = torch.optim.Adam([kept], lr=LEARNING_RATE)
    (moments,) = previous.state.values()
    optimizer.state[kept] = {
        name: value[order].clone() if value.ndim else value.clone()
        for name, value in moments.items()
    }
    return kept, optimizer
