"""A small fixed network with random weights in place of the pretrained ones."""

from itertools import pairwise

import torch
from torch import nn

from anime_dcgan.model.features import Features, FixedConv

SHA256 = "5" * 64
CHANNELS = (3, 8, 8, 16, 16)


def random_features(
    image_size: int, scales: int = 4, weights: str | None = None, sha256: str = SHA256
) -> Features:
    """Return features at strides of 4, 8, 16 and 32 px, the same at each call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stages = [nn.Sequential(_layer(before, after)) for before, after in pairwise(CHANNELS)]
        stages[0].append(_layer(CHANNELS[1], CHANNELS[1]))
    return Features("random", sha256, stages[:scales], [0.0] * 3, [1.0] * 3, map_scale=0.5)


def _layer(in_channels: int, out_channels: int) -> FixedConv:
    norm = nn.BatchNorm2d(out_channels)
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, bias=False)
    return FixedConv(conv, norm, activates=True, padding=(1, 1))
