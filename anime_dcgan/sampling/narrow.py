"""Weights in 16 bits, where they draw the same faces."""

import copy

import numpy as np
import torch
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.sample import BLOCK, faces

MAX_GREY_LEVELS = 1
"""Difference that 16 bits may make to any pixel."""


@torch.inference_mode(False)
@torch.no_grad()
def narrow_state(generator: Generator) -> dict[str, Tensor]:
    """Return the weights of a generator in 16 bits if it draws the same with them, else in 32."""
    state = wide_state(generator)
    narrow = half_state(generator)
    if not all(tensor.isfinite().all() for tensor in narrow.values()):
        return state
    rounded = copy.deepcopy(generator)
    rounded.load_state_dict(narrow)  # widens them
    return narrow if _draw_the_same(generator, rounded) else state


def wide_state(generator: Generator) -> dict[str, Tensor]:
    """Return copies of the weights and buffers of a generator."""
    return {name: tensor.detach().clone() for name, tensor in generator.state_dict().items()}


def half_state(generator: Generator) -> dict[str, Tensor]:
    """Return the weights and buffers of a generator in 16 bits; integers stay as they are."""
    return {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in wide_state(generator).items()
    }


def _draw_the_same(one: Generator, other: Generator) -> bool:
    drawn = (np.stack(list(faces(each, range(BLOCK)))).astype(int) for each in (one, other))
    first, second = drawn
    return int(np.abs(first - second).max()) <= MAX_GREY_LEVELS
