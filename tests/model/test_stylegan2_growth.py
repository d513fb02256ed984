"""StyleGAN2 at sizes below its final one, and while a size fades in."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from anime_dcgan.model.stylegan2 import Discriminator, Generator

WIDTH, CHANNEL_BASE = 12, 96  # 12, 12, 6, 3 channels at 4, 8, 16, 32 px


def generator(image_size: int = 32) -> Generator:
    torch.manual_seed(0)
    return Generator(6, 8, WIDTH, CHANNEL_BASE, mixing=0.0, image_size=image_size)


def discriminator(image_size: int = 32, start_size: int | None = 8) -> Discriminator:
    torch.manual_seed(1)
    return Discriminator(WIDTH, CHANNEL_BASE, image_size, start_size)


def copy_shared(larger: nn.Module, smaller: nn.Module) -> None:
    """Give a smaller network the weights of a larger one that it shares."""
    state = {name: value for name, value in larger.state_dict().items() if "growth" not in name}
    shapes = {name: value.shape for name, value in smaller.state_dict().items()}
    fitting = {k: v for k, v in state.items() if k in shapes and shapes[k] == v.shape}
    assert set(shapes) - set(fitting) == {"growth.state"}
    smaller.load_state_dict(fitting, strict=False)


def images_in_training(network: Generator, latents: Tensor, noise: Tensor) -> Tensor:
    network.train()
    with torch.no_grad():
        return network(latents, noise)


def test_a_generator_that_begins_to_fade_in_a_size_equals_the_smaller_one():
    large, small = generator(32), generator(16)
    copy_shared(large, small)
    latents, noise = torch.randn(3, 6), torch.randn(3, large.noise_dim)
    expected = images_in_training(small, latents, noise[:, : small.noise_dim])
    large.growth.set(16, 1.0)
    assert torch.equal(images_in_training(large, latents, noise), expected)
    large.growth.set(32, 0.0)
    doubled = interpolate(expected, scale_factor=2)
    torch.testing.assert_close(images_in_training(large, latents, noise), doubled)
    large.growth.set(32, 1.0)
    full = images_in_training(large, latents, noise)
    assert full.shape[-1] == 32
    large.growth.set(32, 0.25)
    faded = images_in_training(large, latents, noise)
    torch.testing.assert_close(faded, 0.75 * doubled + 0.25 * full)


def test_in_evaluation_mode_images_have_the_final_size():
    network = generator(32).eval()
    network.growth.set(8, 1.0)
    with torch.no_grad():
        images = network(torch.randn(2, 6))
    assert images.shape == (2, 3, 32, 32)
    assert torch.equal(interpolate(images[:, :, ::4, ::4], scale_factor=4), images)


def test_a_discriminator_that_begins_to_fade_in_a_size_equals_the_smaller_one():
    large, small = discriminator(32), discriminator(16)
    copy_shared(large, small)
    images = torch.rand(4, 3, 32, 32)
    shrunk = avg_pool2d(images, 2)
    with torch.no_grad():
        expected = small(shrunk)
        large.growth.set(16, 1.0)
        torch.testing.assert_close(large(shrunk), expected)
        torch.testing.assert_close(large(images), expected)
        large.growth.set(32, 0.0)
        torch.testing.assert_close(large(images), expected)
        large.growth.set(32, 1.0)
        assert not torch.allclose(large(images), expected)


def test_without_growing_there_is_one_entrance():
    assert len(discriminator(start_size=None).from_rgb) == 1
    entrances = [module.weight for module in discriminator().from_rgb.children()]
    assert [len(weight) for weight in entrances if isinstance(weight, Tensor)] == [12, 6, 3]
