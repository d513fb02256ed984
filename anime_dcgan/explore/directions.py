"""Interpretable latent directions, found without labels.

A step of s along a direction moves a latent by s standard deviations. Generators with a mapping
network have directions of styles, which move the styles of all layers. Directions are
deterministic: their signs are fixed, and `pca` draws its latents from a fixed seed.

Directions of a generator with labels are those within its classes, as frequent as in the training:
they vary the faces of every class, not from class to class, and do not move the embedding of the
label.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.model.labels import one_hot
from anime_dcgan.model.layers import ConditionalBatchNorm
from anime_dcgan.system.errors import UserError, first_line

Method = Literal["sefa", "pca"]

MAX_DIRECTIONS = 64  # per method
PCA_SAMPLES = 1024  # latents
PCA_SEED = 0xD1
ROUNDING = 1e-12  # of float32 values, squared
POOLED_SIZE = 4  # px; finer detail of the feature maps is not an attribute of a face

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction, as long as one standard deviation of latents, or of a mapping network's styles.

    For latents it is a unit vector. `strength` is its fraction of the explained variance.
    """

    id: str
    vector: Float[Tensor, " d"]
    strength: float


def method_of(id: str) -> Method:
    """Return the method that found a direction, by its id (`sefa.0`)."""
    return "sefa" if id.startswith("sefa.") else "pca"


def find(
    generator: Generator, method: Method, count: int = 10, fix: str = "use another epoch"
) -> list[Direction]:
    """Return up to `count` directions, strongest first; never more than the latent has axes.

    Raises `UserError`, which ends in `fix`, for a generator that has none.
    """
    try:
        vectors, strengths = FINDERS[method](generator)
    except RuntimeError as error:
        raise UserError(
            f"this generator has no {method} directions ({first_line(error)}): {fix}"
        ) from None
    return [
        Direction(f"{method}.{number}", vectors[number], float(strengths[number]))
        for number in range(min(count, MAX_DIRECTIONS, len(vectors)))
    ]


def of_one_label(generator: Generator) -> Generator:
    """Return a generator whose latents vary while the label stays the same."""
    if not generator.labels or generator.default_label is not None:
        return generator
    return generator.of_label(generator.labels[int(generator.label_frequencies.argmax())])


@torch.inference_mode()
def sefa(generator: Generator) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Closed-form factorization (SeFa): Shen & Zhou 2021, arXiv 2007.06600, equation 6.

    Returns the eigenvectors of A^T A, where A is the weight of the layers that receive the latent,
    or that compute the scales of all layers from a style.
    """
    weight = _weight_of_latents(generator).double()
    values, vectors = torch.linalg.eigh(weight.T @ weight)  # ascending
    axes, strengths = _fix_signs(vectors.T.flip(0)), _fractions(values.flip(0))
    if StyleSpace.of(generator).has_mapping:
        axes = axes * (_random_styles(generator) @ axes.T).std(dim=0)[:, None]
    return axes.float(), strengths


@torch.inference_mode()
def pca(generator: Generator) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Principal components of early features, mapped back to latents: GANSpace, arXiv 2004.02546.

    Follows section 3.2 of the paper, for generators without a style space: compute features of
    random latents and their principal components, then regress the latents on the principal
    coordinates by least squares. The features are the inputs of the second weighted layer,
    average-pooled to a 4 x 4 grid. Those of a generator with a mapping network are the principal
    components of its styles (section 3.1).
    """
    if StyleSpace.of(generator).has_mapping:
        return _components_of_styles(_random_styles(generator))
    generator = copy.deepcopy(generator)  # other threads may render with it
    latents, labels = _balanced_latents(generator.latent_dim), _balanced_labels(generator)
    features = torch.cat(
        [
            _early_features(generator, latents[some], None if labels is None else labels[some])
            for some in torch.arange(len(latents)).split(64)
        ]
    )
    scale = features.double().square().sum()
    features = _within_classes(features.double(), labels)
    features = features - features.mean(dim=0)
    values, vectors = torch.linalg.eigh(features @ features.T)  # one per sample, ascending
    strengths = _fractions(values.flip(0), scale)
    count = min(MAX_DIRECTIONS, generator.latent_dim)
    coordinates = vectors.flip(1)[:, :count]
    solution = torch.linalg.lstsq(coordinates, latents.double()).solution
    unit = solution / solution.norm(dim=1, keepdim=True)
    return _fix_signs(unit).float(), strengths[:count]


def _random_styles(generator: Generator) -> Float[Tensor, "n d"]:
    latents, labels = _balanced_latents(generator.latent_dim), _balanced_labels(generator)
    styles = StyleSpace.of(generator).flatten(generator.styles(latents, labels))
    return _within_classes(styles.double(), labels)


def _components_of_styles(
    styles: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Return the principal components, each as long as the standard deviation along it."""
    values, vectors = torch.linalg.eigh(styles.T.cov())  # ascending
    values, axes = values.clamp(min=0).flip(0), _fix_signs(vectors.T.flip(0))
    strengths = _fractions(values, styles.square().mean(0).sum())
    return (axes * values.sqrt()[:, None]).float(), strengths


def _fractions(
    variances: Float[Tensor, " k"], scale: Float[Tensor, ""] | float = 0.0
) -> Float[Tensor, " k"]:
    """Return fractions of the explained variance.

    Raises RuntimeError if there is none, but for the rounding of values whose squares are `scale`.
    """
    total = variances.sum()
    if total <= ROUNDING * scale:
        raise RuntimeError("its faces do not depend on the latent")
    return (variances / total).float()


def _balanced_labels(generator: Generator) -> Float[Tensor, "n classes"] | None:
    """Return a label for each of `_balanced_latents`, the same for opposite ones."""
    labels = generator.fixed_labels(range(PCA_SAMPLES // 2))
    return None if labels is None else labels.repeat(2, 1)


def _within_classes(
    values: Float[Tensor, "n d"], labels: Float[Tensor, "n classes"] | None
) -> Float[Tensor, "n d"]:
    """Return deviations from the mean of each class, whose covariance is that within the classes.

    Without labels the values stay as they are.
    """
    if labels is None:
        return values
    classes, rows = labels.unique(dim=0, return_inverse=True)
    members = one_hot(rows, len(classes)).to(values)
    means = members.T @ values / members.sum(0).unsqueeze(1)
    freedom = (len(values) - 1) / (len(values) - len(classes))
    return (values - means[rows]) * freedom**0.5


def _balanced_latents(latent_dim: int) -> Float[Tensor, "n d"]:
    """Draw latents of mean 0 and covariance 1, both exactly.

    Each latent has an opposite one, and the axes are uncorrelated. The directions of two seeds then
    agree to 0.99 (mean absolute cosine of the first ten). With 1,024 independent latents, whose
    chance correlations are mistaken for directions, it is 0.2 to 0.5, and with 16,384 it is 0.64.
    """
    random = torch.Generator().manual_seed(PCA_SEED)
    half = torch.randn(PCA_SAMPLES // 2, latent_dim, generator=random)
    if latent_dim <= len(half):
        half = len(half) ** 0.5 * torch.linalg.qr(half.double()).Q.float()
    return torch.cat([half, -half])


FINDERS: dict[Method, Callable[[Generator], tuple[Tensor, Tensor]]] = {"sefa": sefa, "pca": pca}


def _layers(generator: Generator) -> list[Layer]:
    layers = [module for module in generator.modules() if isinstance(module, Layer)]
    if len(layers) < 2:
        raise UserError(
            "this generator has fewer than two weighted layers, so it has no directions"
        )
    return layers


def _layers_of_labels(generator: Generator) -> Iterator[nn.Module]:
    """Yield the layers whose inputs are conditions of normalisations, such as labels."""
    for module in generator.modules():
        if isinstance(module, ConditionalBatchNorm):
            yield from module.children()


def _weight_of_latents(generator: Generator) -> Float[Tensor, "features d"]:
    """Return the weights of the layers that receive the latent or the styles, as a matrix.

    These are the first layer, or, if the styles are chunks of the latent, the layers of each chunk,
    or the layers that receive the style of a mapping network.
    """
    space = StyleSpace.of(generator)
    if space.layers > 1:
        weights = _weights_of_styles(generator, space)
        if space.has_mapping:
            return torch.cat([weight for found in weights for weight in found])
        return torch.block_diag(*map(torch.cat, weights))
    first = _layers(generator)[0]
    axis = 0 if isinstance(first, nn.ConvTranspose2d) else 1  # input channels
    return first.weight.movedim(axis, -1).flatten(0, -2)[:, : generator.latent_dim]


def _weights_of_styles(generator: Generator, space: StyleSpace) -> list[list[Tensor]]:
    """Return the weights of the linear layers that receive each style, by a forward pass.

    A layer may receive the style with the embedding of the label, or without it.
    """
    generator = copy.deepcopy(generator)  # other threads may render with it
    random = torch.Generator().manual_seed(PCA_SEED)
    styles = torch.randn(1, space.layers, space.dim, generator=random)
    weights: list[list[Tensor]] = [[] for _ in styles[0]]

    def note(layer: nn.Linear, inputs: tuple[Tensor, ...]) -> None:
        for style, found in zip(styles[0], weights, strict=True):
            if torch.equal(inputs[0], style[None, : inputs[0].shape[-1]]):
                found.append(layer.weight[:, : space.value_dim])

    for layer in _layers(generator):
        if isinstance(layer, nn.Linear):
            layer.register_forward_pre_hook(note)
    generator.synthesise(styles)
    return weights


class _Captured(Exception):
    """Carries the inputs of a layer out of the forward pass, so that later layers do not run."""

    def __init__(self, features: Tensor) -> None:
        self.features = features


def _early_features(
    generator: Generator,
    latents: Float[Tensor, "n d"],
    labels: Float[Tensor, "n classes"] | None,
) -> Tensor:
    def capture(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise _Captured(inputs[0])

    of_labels = set(_layers_of_labels(generator))
    second = [layer for layer in _layers(generator) if layer not in of_labels][1]
    hook = second.register_forward_pre_hook(capture)
    try:
        generator(latents, labels=labels)
    except _Captured as captured:
        maps = captured.features.float()
        return (adaptive_avg_pool2d(maps, POOLED_SIZE) if maps.ndim == 4 else maps).flatten(1)
    finally:
        hook.remove()
    raise AssertionError("the second layer was never reached")


def _fix_signs(vectors: Float[Tensor, "k d"]) -> Float[Tensor, "k d"]:
    """Make the largest component of each vector positive, as the sign of an eigenvector is free."""
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return vectors * largest.sign()
