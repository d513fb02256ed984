"""Dependencies between the samples of a batch inside a network."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anime_dcgan.model.layers import MinibatchStd

Images = Float[Tensor, "_ ..."]
PerImage = Float[Tensor, "_ ..."]


def has_batch_norm(network: nn.Module) -> bool:
    """Return True if the network normalises over the batch, so that samples are coupled."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


def can_share_a_batch(network: nn.Module, *sizes: int) -> bool:
    """Return True if batches of these sizes give the same outputs when concatenated.

    This holds without batch normalisation, if each batch consists of whole groups of
    `MinibatchStd`, which compares images in consecutive groups.
    """
    groups = [module.group for module in network.modules() if isinstance(module, MinibatchStd)]
    filled = all(size % group == 0 for size in sizes for group in groups)
    return filled and not has_batch_norm(network)


def apply_to_both(
    function: Callable[[Images], PerImage], discriminator: nn.Module, real: Images, fake: Images
) -> tuple[PerImage, PerImage]:
    """Return `function`, which evaluates the discriminator per image, of real and of fake images.

    Real and fake images are concatenated into one batch where the results are the same up to
    rounding and the draws of dropout: small batches take less time that way (docs/speed.md).
    Spectral normalisation then takes one step of its power iteration for both.
    """
    if not can_share_a_batch(discriminator, len(real), len(fake)):
        return function(real), function(fake)
    at_real, at_fake = function(torch.cat([real, fake])).split([len(real), len(fake)])
    return at_real, at_fake
