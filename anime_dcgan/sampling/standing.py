"""Standing statistics: batch normalisation for truncated latents."""

import copy
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anime_dcgan.model.base import Generator

PASSES = 16
BATCH = 32  # latents per pass
SEED = 0x57A7

G = TypeVar("G", bound=Generator)


@torch.inference_mode(False)
@torch.no_grad()
def with_standing_statistics(generator: G, truncation: float) -> G:
    """Return the generator with statistics of batch normalisation that fit truncated latents.

    The running statistics of the training are those of all latents, and too wide for truncated
    ones. As in BigGAN (arXiv 1809.11096) they are replaced by the means over `PASSES` forward
    passes in training mode, here with fixed latents: the same weights and the same truncation
    always give the same statistics. They are computed in float32, on a copy that shares its weights
    with the generator, which other threads may use meanwhile.

    Like the running ones they are statistics of all labels, as frequent as in the training,
    whatever label is drawn: those of one label would take from its images what distinguishes it.

    A truncation of 1 keeps the running statistics, and so do generators that do not ask for
    standing ones. Where truncation only scales the latents, as for `radford`, a normalisation with
    standing statistics would undo it.
    """
    if truncation == 1 or not generator.standing_statistics:
        return generator
    standing = _copy_statistics(generator).eval()
    for module in _normalisations(standing):
        module.reset_running_stats()
        module.momentum = None  # the mean of all passes
        module.training = True  # not its parts, whose spectral norms stay in evaluation mode
    weight = next(generator.parameters())
    random = torch.Generator().manual_seed(SEED)
    latents = torch.randn(PASSES, BATCH, generator.latent_dim, generator=random).to(weight)
    noise = generator.fixed_noise(range(BATCH)).to(weight)
    labels = generator.frequent_labels(range(BATCH)).to(weight) if generator.labels else None
    with torch.autocast(weight.device.type, enabled=False):
        for some in latents:
            styles = standing.truncate(standing.styles(some, labels), truncation, labels)
            standing.synthesise(styles, noise)
    return standing.eval()


@torch.inference_mode(False)
@torch.no_grad()
def between_statistics(start: G, end: G, fraction: float) -> G:
    """Return a generator whose statistics are interpolated between those of two; see above.

    All three share their weights.
    """
    between = _copy_statistics(start)
    for own, other in zip(_normalisations(between), _normalisations(end), strict=True):
        for name in ("running_mean", "running_var"):
            getattr(own, name).lerp_(getattr(other, name), fraction)
    return between


def _copy_statistics(generator: G) -> G:
    """Return a copy that shares its weights, but not its statistics."""
    shared: dict[int, Tensor] = {id(weight): weight for weight in generator.parameters()}
    return copy.deepcopy(generator, shared)


def _normalisations(network: nn.Module) -> Iterator[_BatchNorm]:
    return (module for module in network.modules() if isinstance(module, _BatchNorm))
