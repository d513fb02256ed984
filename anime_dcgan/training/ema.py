"""Exponential moving average (EMA) of the generator, with a half-life in images."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

RAMP_UP = 0.05  # max half-life as a fraction of the images seen, as in StyleGAN2-ADA


def decay(images: int, halflife_images: float, images_seen: int) -> float:
    """Return the decay of the average over `images` images: 0.5 ** (images / half-life).

    The half-life is capped at 5 % of the images seen, so that the average soon forgets the
    untrained generator. A half-life of 0 disables averaging.
    """
    halflife = min(halflife_images, RAMP_UP * images_seen)
    return 0.5 ** (images / halflife) if halflife > 0 else 0.0


@torch.no_grad()
def update(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move weights and batch statistics of `average` towards those of `current`, in place.

    The statistics are averaged too, because batch normalisation tracks roughly the last ten
    batches: with batches of 8 images they fluctuate so much that copying them can make the averaged
    generator worse than the raw one. Counters are copied.
    """
    get_ema_multi_avg_fn(decay)(_averaged_tensors(average), _averaged_tensors(current), 0)
    for averaged, buffer in zip(average.buffers(), current.buffers(), strict=True):
        if not buffer.is_floating_point():
            averaged.copy_(buffer)


def _averaged_tensors(network: nn.Module) -> list[Tensor]:
    buffers = (buffer for buffer in network.buffers() if buffer.is_floating_point())
    return [*network.parameters(), *buffers]
