"""Regularizers of the generator: penalties that are added to its cost."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.utils.parametrize import is_parametrized

from anime_dcgan.game.double_backward import input_gradient
from anime_dcgan.game.lazy import check_interval, check_weight, due
from anime_dcgan.model.base import Generator
from anime_dcgan.model.labels import LabelEmbedding
from anime_dcgan.system.errors import UserError


class GeneratorRegularizer(nn.Module):
    """Base class of all regularizers of the generator; by itself it does nothing.

    It is a module because it may have state, which belongs in checkpoints.
    """

    interval: int = 1
    """Number of steps from one penalty to the next."""

    per_image_gradients: ClassVar[bool] = False
    """True if the gradient of an image must not depend on the other images of its batch."""

    def at(self, step: int) -> "GeneratorRegularizer":
        """Return the regularizer for the generator's step of this index, from 0."""
        return self

    def penalty(
        self,
        generator: nn.Module,
        latents: Float[Tensor, "n latent_dim"],
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, ""] | float:
        """Return the term added to the generator's mean cost, differentiable in its weights."""
        return 0.0


class LazyPenalty(GeneratorRegularizer):
    """Base class of weighted penalties that only some of the steps compute.

    Parameters:
        weight: weight of the penalty in the generator's cost.
        interval: number of steps from one penalty to the next; each is weighted `interval` times as
            much (lazy regularization of StyleGAN2, arXiv 1912.04958, section 3.1).
    """

    weight: float | Tensor

    def __init__(self, weight: float, interval: int = 1) -> None:
        super().__init__()
        check_weight("generator_regularizer", weight, example=1)
        check_interval("generator_regularizer", interval)
        self.weight = weight
        self.interval = interval

    def at(self, step: int) -> GeneratorRegularizer:
        return due(self, step) or GeneratorRegularizer()


class Orthogonal(LazyPenalty):
    """weight * |W W^T without its diagonal|^2, summed over layers: arXiv 1809.11096, equation 3.

    W has one row per output of the layer; the penalty makes the rows orthogonal without setting
    their norms. It is meant for generators whose latents are truncated. Embeddings are exempt, and
    weights with spectral normalisation enter before it. The paper adds the gradient of the penalty
    to that of the loss, which is the same as adding the penalty to the loss.
    """

    def __init__(self, weight: float = 1e-4, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def penalty(
        self,
        generator: nn.Module,
        latents: Float[Tensor, "n latent_dim"],
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, ""]:
        with torch.autocast(latents.device.type, enabled=False):
            terms = [_squares_off_diagonal(matrix) for matrix in _weights(generator)]
        return self.weight * torch.stack(terms).sum()


def _weights(network: nn.Module) -> Iterator[Float[Tensor, "outputs inputs"]]:
    """Yield the weight of each layer as a matrix, before any spectral normalisation."""
    for module in network.modules():
        if isinstance(module, LabelEmbedding):
            continue
        if is_parametrized(module, "weight"):
            weight = module.get_parameter("parametrizations.weight.original")
        else:
            weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim > 1:
            axis = 1 if isinstance(module, _ConvTransposeNd) else 0
            yield weight.movedim(axis, 0).flatten(1)


def _squares_off_diagonal(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, ""]:
    """Return the sum of squares of W W^T without its diagonal.

    If W has more rows than columns, it is computed from the smaller W^T W, whose sum of squares is
    the same: the first layer of a generator has thousands of rows.
    """
    rows, columns = matrix.shape
    if rows <= columns:
        return (matrix @ matrix.T).fill_diagonal_(0).square().sum()
    return (matrix.T @ matrix).square().sum() - matrix.square().sum(1).square().sum()


class PathLength(LazyPenalty):
    """weight * (|J^T y| - a)^2: path length regularization of arXiv 1912.04958, section 3.2.

    J is the Jacobian of an image with respect to its styles, y is a random image of variance 1 per
    pixel, divided by sqrt(h * w), and a is the running mean of the lengths, which are
    root mean squares over the layers that take a style. Equal steps of a style then change the
    image by equal amounts. The styles of a plain generator are its latents.

    It is computed in float32, whatever the precision of the training.

    Parameters:
        batch_fraction: fraction of the batch for which it is computed.
        decay: decay of the running mean, per batch.
    """

    per_image_gradients = True
    mean_length: Tensor

    def __init__(
        self,
        weight: float = 2.0,
        interval: int = 4,
        batch_fraction: float = 0.5,
        decay: float = 0.99,
    ) -> None:
        super().__init__(weight, interval)
        if not 0 < batch_fraction <= 1:
            raise UserError(
                f"generator_regularizer.batch_fraction={batch_fraction} is not a part of a batch: "
                "use generator_regularizer.batch_fraction=0.5"
            )
        if not 0 <= decay < 1:
            raise UserError(
                f"generator_regularizer.decay={decay} is not in [0, 1): "
                "use generator_regularizer.decay=0.99"
            )
        self.batch_fraction = batch_fraction
        self.decay = decay
        self.register_buffer("mean_length", torch.zeros(()))

    def penalty(
        self,
        generator: nn.Module,
        latents: Float[Tensor, "n latent_dim"],
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, ""]:
        assert isinstance(generator, Generator)
        count = max(1, round(self.batch_fraction * len(latents)))
        some_labels = None if labels is None else labels[:count]
        lengths = path_lengths(generator, latents[:count], some_labels)
        self.mean_length.lerp_(lengths.detach().mean(), 1 - self.decay)
        return self.weight * (lengths - self.mean_length.clone()).square().mean()


def path_lengths(
    generator: Generator,
    latents: Float[Tensor, "n latent_dim"],
    labels: Float[Tensor, "n classes"] | None = None,
) -> Float[Tensor, " n"]:
    """Return |J^T y| of each image, in float32, differentiable in the weights."""

    def projections(styles: Float[Tensor, "n _ _"]) -> Float[Tensor, " n"]:
        images = generator.synthesise(styles)
        height, width = images.shape[2:]
        directions = torch.randn_like(images) / (height * width) ** 0.5
        return (images * directions).sum((1, 2, 3))

    with torch.autocast(latents.device.type, enabled=False):
        gradient = input_gradient(projections, generator.styles(latents, labels))
    return (gradient.square().sum(2).mean(1) + 1e-12).sqrt()  # sqrt is not differentiable at 0
