"""Tests of the moving average: half-life, disabling, and batch statistics."""

import copy

import pytest
import torch
from torch import nn

from anime_dcgan.model.layers import normalise_spectrally
from anime_dcgan.training import ema


def test_half_of_the_difference_remains_after_a_halflife():
    average, current = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.constant_(average.weight, 1.0)
    nn.init.constant_(current.weight, 0.0)
    for _ in range(10):
        ema.update(average, current, ema.decay(64, 640, images_seen=10**9))
    assert average.weight.item() == pytest.approx(0.5)


def test_the_halflife_is_short_early_in_training():
    assert ema.decay(64, 10_000, images_seen=1280) == pytest.approx(0.5)
    assert ema.decay(64, 10_000, images_seen=10**9) == 0.5 ** (64 / 10_000)


def test_a_halflife_of_zero_disables_averaging():
    assert ema.decay(64, 0, images_seen=1000) == 0


def test_batch_statistics_are_averaged_and_counters_copied():
    average, current = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    current(torch.randn(4, 2, 3, 3) + 5)
    before = copy.deepcopy(average)
    ema.update(average, current, 0.75)
    for name in ("running_mean", "running_var", "weight"):
        expected = torch.lerp(getattr(current, name), getattr(before, name), 0.75)
        torch.testing.assert_close(getattr(average, name), expected)
    assert average.num_batches_tracked == 1


def test_averaged_weights_have_a_spectral_norm_of_one():
    """The averaged vectors of the power iteration are no singular vectors of averaged weights."""
    torch.manual_seed(0)
    current = nn.Linear(8, 6)
    normalise_spectrally(current)
    average = copy.deepcopy(current).eval()
    original = current.get_parameter("parametrizations.weight.original")
    norms: list[float] = []
    for _ in range(200):
        original.data += 0.05 * torch.randn(6, 8)
        current(torch.zeros(1, 8))
        ema.update(average, current, 0.8)
        norms.append(torch.linalg.matrix_norm(average.weight, ord=2).item())
    assert max(norms) < 1.05  # 1.3 with the averaged vectors as they are
    assert min(norms) > 0.99
