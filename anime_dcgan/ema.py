"""The exponential moving average of the generator's weights, by half-life in images."""

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

RAMP_UP = 0.05  # the half-life is at most this share of the images seen (as StyleGAN2-ADA has it)


def decay(images: int, halflife_images: float, images_seen: int) -> float:
    """What remains of the average after `images` more: 0.5 ** (images / half-life).

    Early on the half-life is shortened to 5 % of what was seen, so that the average does not
    carry the untrained generator along. A half-life of 0 means no averaging.
    """
    halflife = min(halflife_images, RAMP_UP * images_seen)
    return 0.5 ** (images / halflife) if halflife > 0 else 0.0


@torch.no_grad()
def update(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move the parameters of `average` towards those of `current`; copy its buffers."""
    multi_avg = get_ema_multi_avg_fn(decay)
    multi_avg(list(average.parameters()), list(current.parameters()), 0)
    for kept, buffer in zip(average.buffers(), current.buffers(), strict=True):
        kept.copy_(buffer)
