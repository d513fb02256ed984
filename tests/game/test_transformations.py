"""The transformations of adaptive augmentation agree with plain implementations."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from anime_dcgan.game import transformations
from tests.game.test_augment import SIZE, noise


def test_pixel_transformations_are_mirrors_turns_and_shifts_with_reflected_borders():
    images = noise(12)
    torch.manual_seed(0)
    changed = transformations.transform_geometry(images, 1.0, geometry=False).numpy()
    found = set()
    for image, result in zip(images.numpy(), changed, strict=True):
        wide = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="symmetric")
        matching = [
            (mirror, turns, y, x)
            for mirror, turns, y, x in itertools.product((1, -1), range(4), range(5), range(5))
            if np.allclose(
                np.rot90(wide[:, y : y + SIZE, x : x + SIZE][..., ::mirror], turns, (1, 2)),
                result,
                atol=1e-4,
            )
        ]
        assert len(matching) == 1
        found |= set(matching)
    assert {mirror for mirror, *_ in found} == {1, -1}
    assert {turns for _, turns, *_ in found} == {0, 1, 2, 3}


@pytest.fixture
def fix_draws(monkeypatch):
    """Return a function that fixes draws: `fix_draws(_angle=1.0)` makes every angle 1."""

    def fix(**draws: float) -> None:
        for name, value in draws.items():
            monkeypatch.setattr(
                transformations,
                name,
                lambda images, *_, value=value: torch.full((len(images),), value),
            )

    return fix


def test_a_rotation_by_a_right_angle_is_a_quarter_turn(fix_draws):
    fix_draws(_angle=math.pi / 2, _log_normal=1.0)
    turned = transformations.transform_geometry(noise(), 1.0, pixels=False)
    assert any(torch.allclose(turned, noise().rot90(k, (2, 3)), atol=1e-4) for k in (1, 3))


def test_scaling_enlarges_as_bilinear_interpolation_does(fix_draws):
    fix_draws(_angle=0.0, _log_normal=0.5)
    enlarged = transformations.transform_geometry(noise(), 1.0, pixels=False)
    doubled = nn.functional.interpolate(noise(), scale_factor=2, mode="bilinear")
    quarter = SIZE // 2
    assert torch.allclose(enlarged, doubled[..., quarter:-quarter, quarter:-quarter], atol=1e-5)


NEUTRAL = {"_normal": 0.0, "_log_normal": 1.0, "_coin": 0.0, "_angle": 0.0}


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        ({}, lambda x: x),
        ({"_normal": 1.5}, lambda x: x + 0.3),
        ({"_coin": 1.0}, lambda x: x - 2 * x.mean(1, keepdim=True)),
        ({"_angle": 2 * math.pi / 3}, lambda x: x.roll(1, 1)),
        ({"_angle": -2 * math.pi / 3}, lambda x: x.roll(-1, 1)),
        # contrast doubles about mid-grey, saturation the distance from grey once more
        ({"_log_normal": 2.0}, lambda x: 4 * x - 2 * x.mean(1, keepdim=True)),
        # the order: brightness, contrast, luma flip, hue, saturation
        (
            {"_normal": 1.5, "_log_normal": 2.0, "_coin": 1.0},
            lambda x: 4 * (x + 0.3) - 6 * (x + 0.3).mean(1, keepdim=True),
        ),
    ],
)
def test_colour_matrices_agree_with_their_formulas(fix_draws, draws, expected):
    fix_draws(**(NEUTRAL | draws))
    images = noise() * 2 - 1
    assert torch.allclose(
        transformations.transform_colours(images, 1.0), expected(images), atol=1e-5
    )


def test_each_transformation_is_applied_with_the_probability():
    values = torch.ones(4000)
    for probability in (0.0, 0.3, 1.0):
        fraction = transformations._sometimes(values, 0.0, probability).mean().item()
        assert fraction == pytest.approx(probability, abs=0.03 if 0 < probability < 1 else 0)
    images = noise(2000, size=8)
    torch.manual_seed(0)
    changed = transformations.transform_geometry(images, torch.tensor(0.5), geometry=False)
    unmoved = (changed == images).flatten(1).all(1).float().mean().item()
    # of the chosen images, a mirror leaves 1/2, a quarter turn 1/4 and a shift 1/4 unchanged
    assert unmoved == pytest.approx(0.75 * (1 - 0.5 * 0.75) * (1 - 0.5 * (1 - 0.25)), abs=0.05)


def test_ranges_are_those_of_the_paper():
    images = torch.empty(20_000, 3, 1, 1)
    torch.manual_seed(0)
    scales = transformations._log_normal(images, transformations.SCALE).log2()
    assert scales.std().item() == pytest.approx(0.2, rel=0.05)
    angles = transformations._angle(images)
    assert -math.pi <= angles.min() < -3.1 and 3.1 < angles.max() <= math.pi
