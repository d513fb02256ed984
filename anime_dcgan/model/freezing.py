"""Layers of a discriminator that a training keeps: FreezeD, Mo et al. 2020, arXiv 2002.10964."""

from collections.abc import Iterator
from itertools import chain

from torch import Tensor, nn

from anime_dcgan.model.base import Discriminator
from anime_dcgan.system.errors import UserError


def freeze_layers(discriminator: Discriminator, count: int) -> None:
    """Keep the weights and statistics of the first `count` layers from the image on.

    Whatever mode the network is in, these layers compute in evaluation mode, so that batch
    normalisation and spectral normalisation keep their statistics. Copies of the network are frozen
    too. Raises `UserError` if it has fewer layers.
    """
    layers = discriminator.layers_from_image()
    if not 0 <= count <= len(layers):
        raise UserError(
            f"init.freeze={count}: this discriminator has {len(layers)} layers that can be kept, "
            f"which excludes those of the logit: use init.freeze={len(layers)}"
        )
    for module in chain.from_iterable(layers[:count]):
        module.requires_grad_(False)
        module.register_forward_pre_hook(_evaluate)


def frozen_tensors(discriminator: Discriminator, count: int) -> Iterator[Tensor]:
    """Yield the weights and statistics that `freeze_layers` keeps."""
    for module in chain.from_iterable(discriminator.layers_from_image()[:count]):
        yield from module.parameters()
        yield from module.buffers()


def _evaluate(module: nn.Module, inputs: object) -> None:
    module.eval()
