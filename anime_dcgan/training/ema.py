"""The exponential moving average of the generator, by half-life in images."""

import torch
from torch import Tensor, nn
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
    """Move the weights of `average`, and the batch statistics, towards those of `current`.

    Statistics are averaged because those of batch normalisation are of the last ten batches: in
    steps of 8 images they waver so much that copies of them make the averaged generator worse than
    the raw one at times. Counters are copied.
    """
    get_ema_multi_avg_fn(decay)(_averaged(average), _averaged(current), 0)
    for kept, buffer in zip(average.buffers(), current.buffers(), strict=True):
        if not buffer.is_floating_point():
            kept.copy_(buffer)


def _averaged(network: nn.Module) -> list[Tensor]:
    buffers = (buffer for buffer in network.buffers() if buffer.is_floating_point())
    return [*network.parameters(), *buffers]
