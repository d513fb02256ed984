"""Tests of the transformations of ADA at a fixed probability."""

import pytest
import torch
from torch import Tensor

from anime_dcgan.game.augment import FixedADA
from anime_dcgan.game.transformations import transform_colours, transform_geometry

COUNT, SIZE = 400, 8


def noise() -> Tensor:
    """Return images without a value of 0."""
    random = torch.Generator().manual_seed(0)
    return torch.rand(COUNT, 3, SIZE, SIZE, generator=random) * 0.8 + 0.1


def test_geometry_is_that_of_ada_at_the_probability_and_colours_at_half_of_it():
    images = noise()
    torch.manual_seed(0)
    expected = transform_colours(transform_geometry(images, 0.4), 0.2)
    torch.manual_seed(0)
    assert torch.equal(FixedADA(0.4, cutout=0.0)(images), expected)


def test_a_square_of_half_the_side_is_blanked_in_some_of_the_images():
    """The centre of a cutout lies anywhere in the image: 4 to 16 of its pixels are visible."""
    images = noise()
    torch.manual_seed(0)
    changed = FixedADA(0.3, pixels=False, geometry=False, colours=0.0)(images)
    blanked = (changed == 0).sum((1, 2, 3)) / 3
    assert (blanked > 0).float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert blanked[blanked > 0].min() >= 4 and blanked.max() == 16
    assert torch.equal(changed[blanked == 0], images[blanked == 0])


def test_a_ramp_may_set_the_probability_to_a_tensor():
    augment, images = FixedADA(0.7), noise()
    torch.manual_seed(0)
    expected = augment(images)
    augment.probability = torch.tensor(0.7)
    torch.manual_seed(0)
    assert torch.equal(augment(images), expected)
