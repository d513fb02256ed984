"""The networks of R3GAN: Huang et al. 2024, arXiv 2501.05441, section 3.

Residual blocks of grouped convolutions without any normalisation, from a learned 4x4 basis up to
the image and, in mirror image, down to the logit. They start as the identity (fix-up
initialisation, arXiv 1901.09321). Images are NCHW, and no tanh bounds those of the generator.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from anime_dcgan.model import base
from anime_dcgan.model.recompute import Block
from anime_dcgan.model.resampling import downsample, upsample
from anime_dcgan.model.sizes import FIRST_SIZE, doubled_sizes
from anime_dcgan.system.errors import UserError

LEAK = 0.2  # negative slope of every leaky ReLU


def stage_channels(image_size: int, width: int, narrow_above: int, group_size: int) -> list[int]:
    """Return the channels of the stages of 4, 8, 16... `image_size` px.

    They are `width` up to `narrow_above` px, and half as many after each further doubling.
    """
    sizes = doubled_sizes("r3gan", image_size)
    for name, value in (("narrow_above", narrow_above), ("group_size", group_size)):
        if value < 1:
            raise UserError(f"model.{name}={value} must be at least 1: use model.{name}=16")
    halvings = [max(0, size.bit_length() - narrow_above.bit_length()) for size in sizes]

    def step(group: int) -> int:
        smallest = group if group % 2 else group // 2  # a block doubles its channels
        return smallest << halvings[-1]

    if width < 1 or width % step(group_size):
        fix = f"use model.width={max(1, -(-width // step(group_size))) * step(group_size)}"
        smaller = (group for group in range(group_size, 0, -1) if width % step(group) == 0)
        group = next(smaller, None) if width > 0 else None
        raise UserError(
            f"model.width={width} leaves no whole groups of model.group_size={group_size} channels "
            f"at {image_size} px: {fix}" + (f", or model.group_size={group}" if group else "")
        )
    return [width >> halving for halving in halvings]


def initialise(weight: Tensor, gain: float = 1.0) -> None:
    """Draw a weight from N(0, gain / sqrt(fan-in)), in place."""
    nn.init.normal_(weight, 0.0, gain / math.sqrt(weight[0].numel()))


class ResidualBlock(Block):
    """x + f(x): 1x1 convolution to twice the channels, 3x3 in groups, 1x1 back.

    A leaky ReLU follows each of the first two. The third starts at 0, so that the block starts as
    the identity. In memory format channels_last torch's own grouped convolution is the fastest form
    on a CPU: for 8 maps of 256 channels and 32 px, forward and backward, it takes 58 ms in float32
    and 32 ms in bf16; contiguous maps take 97 and 62 ms, and a dense convolution with zeros between
    the groups 527 and 282 ms.

    Parameters:
        group_size: channels per group of the 3x3 convolution.
        depth: number of blocks of the network, by which the weights shrink at the start.
    """

    def __init__(self, channels: int, group_size: int, depth: int) -> None:
        super().__init__()
        inner = 2 * channels
        self.widen = nn.Conv2d(channels, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group_size)
        self.narrow = nn.Conv2d(inner, channels, 1, bias=False)
        gain = math.sqrt(2 / (1 + LEAK**2)) * depth ** (-1 / 4)  # -1 / (2 * 3 layers - 2)
        for layer in (self.widen, self.mix):
            initialise(layer.weight, gain)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        x = leaky_relu(self.widen(maps), LEAK, inplace=True)
        x = leaky_relu(self.mix(x), LEAK, inplace=True)
        return maps + self.narrow(x)


class Double(nn.Module):
    """Upsampling by 2 with the filter [1, 3, 3, 1]."""

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 2*h 2*w"]:
        return upsample(maps)


class Halve(nn.Module):
    """Downsampling by 2 with the filter [1, 3, 3, 1]."""

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h/2 w/2"]:
        return downsample(maps)


class Stage(nn.Sequential):
    """The residual blocks of one size of map."""

    def __init__(self, channels: int, group_size: int, blocks: int, depth: int) -> None:
        super().__init__(*(ResidualBlock(channels, group_size, depth) for _ in range(blocks)))


def pointwise(before: int, after: int) -> nn.Conv2d:
    """Return a 1x1 convolution without bias."""
    layer = nn.Conv2d(before, after, 1, bias=False)
    initialise(layer.weight)
    return layer


def change_channels(before: int, after: int) -> list[nn.Module]:
    """Return a 1x1 convolution, or nothing if the channels stay the same."""
    return [] if before == after else [pointwise(before, after)]


class Generator(base.Generator):
    """A learned 4x4 basis scaled by the latent, then stages of blocks that double the size.

    Parameters:
        width: channels of the stages up to `narrow_above` px; each larger stage has half as many as
            the one before. The paper has 768 and 32 px for faces of 64 px.
        group_size: channels per group of the 3x3 convolutions, which have twice the stage's.
        blocks: residual blocks per stage.
    """

    def __init__(
        self,
        latent_dim: int = 64,
        width: int = 768,
        narrow_above: int = 32,
        group_size: int = 16,
        blocks: int = 2,
        image_size: int = 64,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(latent_dim, labels)
        channels = stage_channels(image_size, width, narrow_above, group_size)
        depth = check_blocks(blocks) * len(channels)
        self.project = nn.Linear(latent_dim + self.embedding_dim, width, bias=False)
        initialise(self.project.weight)
        self.basis = nn.Parameter(torch.empty(width, FIRST_SIZE, FIRST_SIZE).normal_())
        layers: list[nn.Module] = [Stage(channels[0], group_size, blocks, depth)]
        for before, after in pairwise(channels):
            layers += [*change_channels(before, after), Double()]
            layers += [Stage(after, group_size, blocks, depth)]
        self.layers = nn.Sequential(*layers)
        self.to_rgb = pointwise(channels[-1], 3)

    def synthesise(
        self,
        styles: Float[Tensor, "n 1 d"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return images, in [-1, 1] as far as the generator has learned it."""
        weights = self.project(styles.squeeze(1))
        return self.to_rgb(self.layers(weights[:, :, None, None] * self.basis))


class Discriminator(base.Discriminator):
    """Stages of blocks that halve the size, then a weighted sum over each 4x4 map, and the logit.

    It mirrors the generator and has the same parameters.
    """

    def __init__(
        self,
        width: int = 768,
        narrow_above: int = 32,
        group_size: int = 16,
        blocks: int = 2,
        image_size: int = 64,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        channels = stage_channels(image_size, width, narrow_above, group_size)[::-1]
        depth = check_blocks(blocks) * len(channels)
        self.from_rgb = pointwise(3, channels[0])
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [Stage(before, group_size, blocks, depth)]
            layers += [Halve(), *change_channels(before, after)]
        self.layers = nn.Sequential(*layers, Stage(width, group_size, blocks, depth))
        self.basis = nn.Parameter(torch.empty(width, FIRST_SIZE, FIRST_SIZE))  # depthwise 4x4
        initialise(self.basis)
        self.to_logit = nn.Linear(width, 1, bias=False)
        initialise(self.to_logit.weight)
        self.label_vectors = nn.Linear(len(labels), width, bias=False) if labels else None
        if self.label_vectors is not None:
            nn.init.normal_(self.label_vectors.weight, 0.0, 1 / math.sqrt(width))

    def layers_from_image(self) -> list[list[nn.Module]]:
        """Return the stages, each with the 1x1 convolution before it."""
        layers: list[list[nn.Module]] = []
        before: list[nn.Module] = [self.from_rgb]
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                before = [layer]
            elif isinstance(layer, Stage):
                layers.append([*before, layer])
                before = []
        return layers

    def forward(
        self, images: Float[Tensor, "n 3 h w"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n"]:
        """Return raw logits; higher means more real."""
        maps = self.layers(self.from_rgb(images))
        features = (maps * self.basis).sum((2, 3))
        return self.add_label_logits(self.to_logit(features).squeeze(1), features, labels)


def check_blocks(blocks: int) -> int:
    """Return the number of blocks per stage; raise `UserError` if it is not positive."""
    if blocks < 1:
        raise UserError(f"model.blocks={blocks} must be at least 1: use model.blocks=2")
    return blocks
