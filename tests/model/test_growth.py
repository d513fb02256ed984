"""The size at which a network that can grow works, and its state."""

import copy

import pytest
import torch

from anime_dcgan.model.growth import Growth, check_start_size, double
from anime_dcgan.system.errors import UserError


def test_images_are_averaged_down_and_repeated_up():
    growth = Growth(8)
    growth.set(2, 1.0)
    images = torch.rand(3, 3, 8, 8)
    expected = images.unflatten(3, (2, 4)).unflatten(2, (2, 4)).mean((3, 5))
    torch.testing.assert_close(growth.shrink(images), expected)
    assert growth.enlarge(expected).shape == (3, 3, 2, 2)
    growth.eval()
    assert growth.enlarge(expected).shape == (3, 3, 8, 8)
    torch.testing.assert_close(growth.shrink(growth.enlarge(expected)), expected)
    torch.testing.assert_close(
        double(expected), expected.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


def test_real_images_are_as_blurred_as_fake_ones_while_a_size_fades_in():
    growth = Growth(8)
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(growth.fade_real(images), images)
    growth.set(4, 0.25)
    shrunk = growth.shrink(images)
    growth.set(2, 1.0)
    coarse = double(growth.shrink(images))
    growth.set(4, 0.25)
    torch.testing.assert_close(growth.fade_real(images), 0.75 * coarse + 0.25 * shrunk)


def test_the_state_is_part_of_a_checkpoint_and_of_copies():
    growth = Growth(64)
    growth.set(32, 0.4)
    for other in (Growth(64), copy.deepcopy(growth)):
        other.load_state_dict(growth.state_dict(), assign=True)
        assert (other.size, other.is_fading) == (32, True)
        assert float(other.fade) == pytest.approx(0.4)
    growth.set(64, 1.0)
    other.load_state_dict(growth.state_dict())
    assert (other.size, other.is_fading) == (64, False)


@pytest.mark.parametrize("start_size", [0, 4, 12, 24, 128])
def test_sizes_that_do_not_double_to_the_final_one_are_refused(start_size: int):
    with pytest.raises(UserError, match=f"model.start_size={start_size} does not grow"):
        check_start_size(start_size, 64)


def test_sizes_that_double_to_the_final_one_are_accepted():
    for start_size, image_size in ((8, 64), (16, 16), (64, 64), (24, 96)):
        check_start_size(start_size, image_size)
