"""Directions in which faces change, found without labels.

Moving a latent by s along one of them changes it by s standard deviations. Directions of a
generator are always the same: signs are fixed, and the sample that `pca` looks at has a seed.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from anime_dcgan.model.base import Generator
from anime_dcgan.system.errors import UserError

Method = Literal["sefa", "pca"]

MOST = 64  # directions of one method
SAMPLES = 1024  # latents that `pca` looks at
POOLED = 4  # side of the maps that `pca` takes, px: what is finer is no attribute of a face
SEED = 0xD1

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector of the latent space; `strength` is its share of the variance explained."""

    id: str
    vector: Float[Tensor, " d"]
    strength: float


def find(generator: Generator, method: Method, count: int = 10) -> list[Direction]:
    """The strongest directions first; fewer than `count` where the latent has fewer axes."""
    count = min(count, MOST, generator.latent_dim)
    vectors, strengths = FINDERS[method](generator)
    return [
        Direction(f"{method}.{number}", vectors[number], float(strengths[number]))
        for number in range(count)
    ]


@torch.inference_mode()
def sefa(generator: Generator) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Closed-form factorization: Shen & Zhou 2021, arXiv 2007.06600, equation 6.

    The eigenvectors of A^T A, A being the weight of the layer that takes in the latent.
    """
    weight = _first_weight(generator).double()
    values, vectors = torch.linalg.eigh(weight.T @ weight)  # ascending
    return _upright(vectors.T.flip(0)).float(), (values.flip(0) / values.sum()).float()


@torch.inference_mode()
def pca(generator: Generator) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Principal components of early features, brought back to latents: GANSpace, arXiv 2004.02546.

    As the paper does for generators without a space of styles (section 3.2): features of random
    latents, their principal components, then the latent directions that predict the coordinates
    best, by least squares. The features are what enters the second layer with weights, averaged
    over cells of a 4 x 4 grid.
    """
    generator = copy.deepcopy(generator)  # others may draw with it meanwhile
    random = torch.Generator().manual_seed(SEED)
    latents = torch.randn(SAMPLES, generator.latent_dim, generator=random)
    features = torch.cat([_early_features(generator, part) for part in latents.split(64)])
    features = features.double() - features.double().mean(dim=0)
    values, vectors = torch.linalg.eigh(features @ features.T)  # of the samples, ascending
    count = min(MOST, generator.latent_dim)
    coordinates = vectors.flip(1)[:, :count]
    by_least_squares = torch.linalg.lstsq(coordinates, latents.double()).solution
    unit = by_least_squares / by_least_squares.norm(dim=1, keepdim=True)
    return _upright(unit).float(), (values.flip(0)[:count] / values.sum()).float()


FINDERS: dict[Method, Callable[[Generator], tuple[Tensor, Tensor]]] = {"sefa": sefa, "pca": pca}


def _layers(generator: Generator) -> list[Layer]:
    layers = [module for module in generator.modules() if isinstance(module, Layer)]
    if len(layers) < 2:
        raise UserError("this generator has no two layers with weights: it has no directions")
    return layers


def _first_weight(generator: Generator) -> Float[Tensor, "features d"]:
    """The weight of the layer that takes in the latent, as a matrix."""
    first = _layers(generator)[0]
    axis = 0 if isinstance(first, nn.ConvTranspose2d) else 1  # of the inputs
    return first.weight.movedim(axis, -1).reshape(-1, generator.latent_dim)


class _Seen(Exception):
    """What entered a layer, thrown so that nothing behind it is computed."""

    def __init__(self, features: Tensor) -> None:
        self.features = features


def _early_features(generator: Generator, latents: Float[Tensor, "n d"]) -> Tensor:
    def throw(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise _Seen(inputs[0])

    hook = _layers(generator)[1].register_forward_pre_hook(throw)
    try:
        generator(latents)
    except _Seen as seen:
        maps = seen.features.float()
        return (adaptive_avg_pool2d(maps, POOLED) if maps.ndim == 4 else maps).flatten(1)
    finally:
        hook.remove()
    raise AssertionError("the second layer was never reached")


def _upright(vectors: Float[Tensor, "k d"]) -> Float[Tensor, "k d"]:
    """The largest component of each is positive: an eigenvector has no sign of its own."""
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return vectors * largest.sign()
