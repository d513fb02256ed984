"""Which samples of a batch a network looks at together, and what may be one batch for it."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anime_dcgan.model.layers import MinibatchStd

Images = Float[Tensor, "_ ..."]
PerImage = Float[Tensor, " _"]


def has_batch_norm(network: nn.Module) -> bool:
    """Whether the network normalises over the batch, so that its samples depend on each other."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


def can_share_a_batch(network: nn.Module, *sizes: int) -> bool:
    """Whether batches of these sizes may be one: no sample then meets another than before.

    Images are compared in groups that follow each other, which keep to a batch that they fill.
    """
    groups = [module.group for module in network.modules() if isinstance(module, MinibatchStd)]
    filled = all(size % group == 0 for size in sizes for group in groups)
    return filled and not has_batch_norm(network)


def apply_to_both(
    judge: Callable[[Images], PerImage], discriminator: nn.Module, real: Images, fake: Images
) -> tuple[PerImage, PerImage]:
    """What `judge` finds in each image by way of the discriminator.

    All images are one batch for it where they may be: the same to rounding, dropout's draws aside,
    and small batches take less time so (docs/speed.md). A spectral norm then takes one step of its
    power iteration for both.
    """
    if not can_share_a_batch(discriminator, len(real), len(fake)):
        return judge(real), judge(fake)
    of_real, of_fake = judge(torch.cat([real, fake])).split([len(real), len(fake)])
    return of_real, of_fake
