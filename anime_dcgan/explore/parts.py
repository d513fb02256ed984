"""Colours and shape of a face, varied apart.

A generator with a style space has layers for each: the fine ones decide the colours, the middle
ones the details. The latents of a plain generator are split by regression: of the colours of a
blurred picture, and of the edges of its lightness, on the latents of some thousand samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from anime_dcgan.explore.face import Face, encode_latent, is_label
from anime_dcgan.explore.model import Model
from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.layers import format_layers, parse_layers
from anime_dcgan.system import precision

Part = Literal["colour", "shape"]

SAMPLES = 2048
BATCH = 32
SEED = 0xC0
RIDGE = 30.0
COLOUR_SIDE, EDGE_SIDE = 4, 8  # px of the pooled pictures
NEW_SHAPE = 0.5
"""Fraction of the variance of a face's shape that a variation replaces, so that it stays itself."""

Report = Callable[[float], None]
"""Called with the fraction that is done; may wait, or raise to stop."""


@dataclass(frozen=True)
class Variation:
    """A face with a part of another one."""

    face: Face
    donor: Face


def needs_colours(space: StyleSpace) -> bool:
    """Return True if the colours of a generator are directions of its latents, not layers."""
    return space.layers == 1 and not space.has_mapping


@torch.inference_mode()
def find_colours(generator: Generator, report: Report, fast: bool = False) -> Float[Tensor, "k d"]:
    """Return orthonormal directions of a plain generator's latents that change its colours.

    They span the space in which a latent has the most effect on colours compared with that on
    shapes: the eigenvectors of the difference of both effects whose eigenvalue is positive.
    """
    random = torch.Generator().manual_seed(SEED)
    latents = torch.randn(SAMPLES, generator.latent_dim, generator=random)
    colours, shapes = [], []
    for first in range(0, SAMPLES, BATCH):
        report(first / SAMPLES)
        with precision.autocast(fast):
            images = generator(latents[first : first + BATCH]).float().clamp(-1, 1)
        colours.append(colour_features(images))
        shapes.append(shape_features(images))
    effects = _effects(latents, torch.cat(colours)) - _effects(latents, torch.cat(shapes))
    values, vectors = torch.linalg.eigh(effects)
    return vectors.T[values > 0].flip(0).float()


def colour_features(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n _"]:
    """Return the colours of blurred images."""
    return adaptive_avg_pool2d(images, COLOUR_SIDE).flatten(1)


def shape_features(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n _"]:
    """Return the edges of the images' lightness, whose mean and contrast are the same for all."""
    light = images.mean(1, keepdim=True)
    spread = light.std((2, 3), keepdim=True) + 1e-3
    light = (light - light.mean((2, 3), keepdim=True)) / spread
    across = light[..., 1:, 1:] - light[..., 1:, :-1]
    down = light[..., 1:, 1:] - light[..., :-1, 1:]
    edges = torch.cat([across, down, across.abs(), down.abs()], dim=1)
    return adaptive_avg_pool2d(edges, EDGE_SIDE).flatten(1)


def _effects(latents: Float[Tensor, "n d"], features: Float[Tensor, "n f"]) -> Float[Tensor, "d d"]:
    """Return the effects of pairs of axes on features, by ridge regression, with trace 1."""
    x, y = latents.double(), features.double()
    y = (y - y.mean(0)) / y.std(0).clamp_min(1e-6)
    weights = torch.linalg.solve(x.T @ x + RIDGE * torch.eye(x.shape[1]).double(), x.T @ y)
    effects = weights @ weights.T
    return effects / effects.trace().clamp_min(1e-12)


def vary(
    model: Model,
    colours: Float[Tensor, "k d"] | None,
    face: Face,
    part: Part,
    seeds: Sequence[int],
) -> list[Variation]:
    """Return the face with the colours of the faces of these seeds, or some of their shapes.

    Parameters:
        colours: directions of `find_colours`, for a generator that needs them.
    """
    if colours is not None:
        face = _with_its_label(model, face)
    donors = [Face(*face.generator, seed=seed, label=face.label) for seed in seeds]
    if colours is None:
        return [Variation(_with_layers(model.space, face, part, one), one) for one in donors]
    return [Variation(_with_directions(model, colours, face, part, one), one) for one in donors]


def _with_its_label(model: Model, face: Face) -> Face:
    """Return the face of a seed with the name of the label that the seed has, if it has one.

    The donors then have the same label, and what they give is not a part of it.
    """
    if face.seed is None or face.label is not None or not model.generator.labels:
        return face
    labels = model.generator.labels_of_seeds([face.seed])
    assert labels is not None
    name = model.generator.labels[int(labels[0].argmax())]
    return replace(face, label=name) if is_label(name) else face


def _with_layers(space: StyleSpace, face: Face, part: Part, donor: Face) -> Face:
    """Return the face with the fine or the middle style layers of another one."""
    layers = _layers_of(space, part)
    others = {
        text: parent
        for text, parent in face.mix.items()
        if not set(parse_layers("mix", text)) & set(layers)
    }
    assert donor.seed is not None
    return replace(face, mix={**others, format_layers(layers): donor.seed})


def _layers_of(space: StyleSpace, part: Part) -> range:
    groups = list(space.groups().values())
    return groups[-1] if part == "colour" else groups[len(groups) // 2 if len(groups) > 2 else 0]


@torch.inference_mode()
def _with_directions(
    model: Model, colours: Float[Tensor, "k d"], face: Face, part: Part, donor: Face
) -> Face:
    values, embedding = model.space.split(model.styles(face)[None])
    other, _ = model.space.split(model.styles(donor)[None])
    own_colour, new_colour = ((one @ colours.T) @ colours for one in (values, other))
    if part == "colour":
        values = values - own_colour + new_colour
    else:
        own, new = values - own_colour, other - new_colour
        values = own_colour + (1 - NEW_SHAPE) ** 0.5 * own + NEW_SHAPE**0.5 * new
    latent = torch.cat([values, embedding], dim=-1).flatten()
    return Face(*face.generator, latent=encode_latent(latent.tolist()), label=face.label)
