"""Resampling equals the insertion of zeros and a convolution, written as loops."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from anime_dcgan.model.resampling import blur, downsample, upsample

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def convolve(image: np.ndarray, padding: int) -> np.ndarray:
    padded = np.pad(image, padding)
    height, width = (side - 3 for side in padded.shape)
    return np.array(
        [
            [(padded[row : row + 4, column : column + 4] * FILTER).sum() for column in range(width)]
            for row in range(height)
        ]
    )


def insert_zeros(image: np.ndarray) -> np.ndarray:
    """Return an image with a zero after each pixel along both axes."""
    doubled = np.zeros((2 * image.shape[0], 2 * image.shape[1]))
    doubled[::2, ::2] = image
    return doubled


def slow_upsample(image: np.ndarray) -> np.ndarray:
    return 4 * convolve(insert_zeros(image), 2)[:-1, :-1]


def slow_downsample(image: np.ndarray) -> np.ndarray:
    return convolve(image, 1)[::2, ::2]


CASES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[np.ndarray], np.ndarray]]] = {
    "upsample": (upsample, slow_upsample),
    "downsample": (downsample, slow_downsample),
    **{
        f"blur, padding {padding}": (
            lambda maps, padding=padding: blur(maps, padding),
            lambda image, padding=padding: convolve(image, padding),
        )
        for padding in range(4)
    },
}


@pytest.mark.parametrize(("fast", "slow"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_maps_equal_those_of_the_definition(fast, slow, memory_format):
    maps = torch.randn(2, 3, 6, 8, dtype=torch.double).to(memory_format=memory_format)
    expected = np.array([[slow(channel) for channel in image] for image in maps.numpy()])
    torch.testing.assert_close(fast(maps), torch.from_numpy(expected))


@pytest.mark.parametrize("fast", [fast for fast, _ in CASES.values()], ids=CASES)
def test_first_and_second_derivatives_equal_finite_differences(fast):
    maps = torch.randn(1, 2, 4, 6, dtype=torch.double, requires_grad=True)

    def squares(maps: Tensor) -> Tensor:  # so that the second derivative is not zero
        return fast(maps).square()

    assert torch.autograd.gradcheck(squares, (maps,))
    assert torch.autograd.gradgradcheck(squares, (maps,))


def test_a_constant_map_keeps_its_level_away_from_the_edges():
    maps = torch.ones(1, 1, 8, 8)
    assert (upsample(maps)[..., 1:-1, 1:-1] == 1).all()
    assert (downsample(maps)[..., 1:-1, 1:-1] == 1).all()


@pytest.mark.parametrize("fast", [fast for fast, _ in CASES.values()], ids=CASES)
def test_autocast_keeps_the_type_of_the_maps(fast):
    with torch.autocast("cpu", torch.bfloat16):
        assert fast(torch.ones(1, 2, 4, 4)).dtype == torch.float32
        assert fast(torch.ones(1, 2, 4, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16
