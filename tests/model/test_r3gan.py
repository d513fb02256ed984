"""Tests of R3GAN's networks against the paper's sizes and a plain implementation."""

import math
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anime_dcgan.model.r3gan import Discriminator, Generator, ResidualBlock
from anime_dcgan.system.errors import UserError

TABLE = [
    (768, 32, 2, 22.43, 22.38),  # FFHQ at 64 px
    (256, 32, 2, 2.95, 2.94),
    (256, 32, 1, 1.50, 1.49),
    (192, 32, 2, 1.79, 1.78),
    (192, 32, 1, 0.91, 0.90),
    (128, 32, 2, 0.91, 0.90),
    (128, 32, 1, 0.47, 0.46),
]
"""Width, narrow_above, blocks, and the millions of parameters of both players at 64 px."""


def millions(network: nn.Module) -> float:
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2)


@pytest.mark.parametrize(("width", "narrow_above", "blocks", "generator", "discriminator"), TABLE)
def test_the_pair_has_the_parameters_of_the_paper(
    width, narrow_above, blocks, generator, discriminator
):
    sizes = {"width": width, "narrow_above": narrow_above, "blocks": blocks}
    with torch.device("meta"):
        assert millions(Generator(**sizes)) == generator
        assert millions(Discriminator(**sizes)) == discriminator


def test_the_imagenet_pair_has_equal_widths_and_groups_of_32():
    """The generator also takes the 64 numbers of a class embedding."""
    sizes: dict[str, Any] = {"width": 1536, "narrow_above": 64, "group_size": 32}
    with torch.device("meta"):
        assert millions(Generator(latent_dim=64 + 64, **sizes)) == pytest.approx(103.5, abs=0.05)
        assert millions(Discriminator(**sizes)) == pytest.approx(103.3, abs=0.05)


Network = TypeVar("Network", bound=nn.Module)
SMALL: dict[str, Any] = {
    "width": 8,
    "narrow_above": 8,
    "group_size": 4,
    "blocks": 2,
    "image_size": 16,
}


def perturbed(network: Network) -> Network:
    """Return a network in double precision whose blocks and biases are not 0."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    return network.double()


def upsampled(maps: Tensor) -> Tensor:
    """Insert zeros between the pixels, then convolve with [1, 3, 3, 1] / 4 along both axes."""
    count, channels, height, width = maps.shape
    spread = maps.new_zeros(count, channels, 2 * height, 2 * width)
    spread[..., ::2, ::2] = maps
    return filtered(F.pad(spread, (2, 1, 2, 1)), 4.0)


def downsampled(maps: Tensor) -> Tensor:
    return filtered(F.pad(maps, (1, 1, 1, 1)), 8.0)[..., ::2, ::2]


def filtered(maps: Tensor, total: float) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=maps.dtype) / total
    kernel = torch.outer(taps, taps).expand(maps.shape[1], 1, 4, 4)
    return F.conv2d(maps, kernel, groups=maps.shape[1])


def plain_block(block: ResidualBlock, maps: Tensor) -> Tensor:
    """Compute each group of the 3x3 convolution on its own."""

    def leaky(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.2 * x)

    x = leaky(F.conv2d(maps, block.widen.weight, block.widen.bias))
    parts = zip(x.split(4, 1), block.mix.weight.split(4), bias(block.mix).split(4), strict=True)
    x = torch.cat([F.conv2d(part, weight, b, padding=1) for part, weight, b in parts], dim=1)
    return maps + F.conv2d(leaky(x), block.narrow.weight)


def bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def blocks_by_stage(network: nn.Module) -> list[list[ResidualBlock]]:
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    return [blocks[start : start + 2] for start in range(0, len(blocks), 2)]


def test_the_generator_equals_a_plain_implementation():
    generator = perturbed(Generator(latent_dim=5, **SMALL))
    latents = torch.randn(3, 5, dtype=torch.double)
    first, second, third = blocks_by_stage(generator)
    scale = torch.einsum("nd,cd->nc", latents, generator.project.weight)
    maps = torch.einsum("nc,chw->nchw", scale, generator.basis)
    for block in first:
        maps = plain_block(block, maps)
    maps = upsampled(maps)  # 8 channels at 4 and at 8 px
    for block in second:
        maps = plain_block(block, maps)
    (narrowing,) = [m for m in generator.layers if isinstance(m, nn.Conv2d)]
    maps = upsampled(torch.einsum("nchw,dc->ndhw", maps, narrowing.weight[..., 0, 0]))
    for block in third:
        maps = plain_block(block, maps)
    expected = torch.einsum("nchw,dc->ndhw", maps, generator.to_rgb.weight[..., 0, 0])
    torch.testing.assert_close(generator(latents), expected)


def test_the_discriminator_equals_a_plain_implementation():
    discriminator = perturbed(Discriminator(**SMALL))
    images = torch.randn(3, 3, 16, 16, dtype=torch.double)
    first, second, third = blocks_by_stage(discriminator)
    maps = torch.einsum("nchw,dc->ndhw", images, discriminator.from_rgb.weight[..., 0, 0])
    for block in first:
        maps = plain_block(block, maps)
    (widening,) = [m for m in discriminator.layers if isinstance(m, nn.Conv2d)]
    maps = torch.einsum("nchw,dc->ndhw", downsampled(maps), widening.weight[..., 0, 0])
    for block in second:
        maps = plain_block(block, maps)
    maps = downsampled(maps)
    for block in third:
        maps = plain_block(block, maps)
    features = F.conv2d(maps, discriminator.basis[:, None], groups=8)[..., 0, 0]
    expected = (features @ discriminator.to_logit.weight.T)[:, 0]
    torch.testing.assert_close(discriminator(images), expected)


def test_every_block_starts_as_the_identity():
    torch.manual_seed(0)
    block = ResidualBlock(8, 4, depth=10)
    maps = torch.randn(2, 8, 4, 4)
    assert torch.equal(block(maps), maps)
    assert block.widen.weight.std() > 0


def test_weights_start_with_the_gains_of_the_fix_up_initialisation():
    """Six blocks at 16 px: gain sqrt(2 / 1.04) / 6^(1/4) within them, 1 in the other layers."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"width": 128, "narrow_above": 8, "image_size": 16}
    generator, discriminator = Generator(**sizes), Discriminator(**sizes)
    gain = math.sqrt(2 / 1.04) * 6**-0.25
    for network in (generator, discriminator):
        for stage in blocks_by_stage(network):
            for block in stage:
                width = block.widen.in_channels
                assert_std(block.widen.weight, gain / math.sqrt(width))
                assert_std(block.mix.weight, gain / math.sqrt(9 * 16))
                assert not block.narrow.weight.any()
                assert not torch.cat([bias(block.widen), bias(block.mix)]).any()
    assert_std(generator.project.weight, 1 / math.sqrt(64))
    assert_std(generator.basis, 1.0)
    assert_std(generator.to_rgb.weight, 1 / math.sqrt(64), rel=0.2)
    assert_std(discriminator.from_rgb.weight, 1 / math.sqrt(3), rel=0.2)
    assert_std(discriminator.basis, 1 / 4)
    assert_std(discriminator.to_logit.weight, 1 / math.sqrt(128), rel=0.2)


def assert_std(weight: Tensor, expected: float, rel: float = 0.05) -> None:
    assert weight.std().item() == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 48}, "data.image_size=48 .*data.image_size=64"),
        ({"image_size": 4}, "data.image_size=64"),
        ({"image_size": 2048}, "data.image_size=64"),
        ({"width": 24}, "model.width=24 .* use model.width=32, or model.group_size=12$"),
        ({"width": 0}, "model.width=0 .* use model.width=16$"),
        ({"width": 48, "narrow_above": 8}, "use model.width=64, or model.group_size=12$"),
        ({"group_size": 0}, "model.group_size=0"),
        ({"narrow_above": 0}, "model.narrow_above=0"),
        ({"blocks": 0}, "model.blocks=2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_with_some_that_do(settings: dict, message: str):
    for player in (Generator, Discriminator):
        with pytest.raises(UserError, match=message):
            player(**{"width": 128, **settings})
    Generator(width=128, narrow_above=8, image_size=256, group_size=8)  # as a message suggests
