"""Layers of the networks: what torch lacks, and what trains faster than torch's own form of it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad, pixel_shuffle
from torch.nn.utils.parametrizations import spectral_norm


def normalise_spectrally(network: nn.Module) -> None:
    """Divide the weight of each layer by its largest singular value: arXiv 1802.05957.

    One step of the power iteration in each forward pass of a training, on the weight as a matrix
    of its first axis against the others, as the paper has it (section 2.1).
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            spectral_norm(module)


class Upsample(nn.ConvTranspose2d):
    """4x4 transposed convolution of stride 2, its bias added in a step of its own.

    In bf16 on a CPU the fused gradient of the bias takes longer than those of input and weight
    together: 223 ms with it, 60 without, 67 in this form (64 maps of 128 channels, 32 to 64 px).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 4, stride=2, padding=1)

    def forward(
        self, input: Float[Tensor, "n c h w"], output_size: list[int] | None = None
    ) -> Float[Tensor, "n d 2*h 2*w"]:
        doubled = conv_transpose2d(input, self.weight, stride=2, padding=1)
        assert self.bias is not None
        return doubled.add_(self.bias.to(doubled.dtype).view(1, -1, 1, 1))


class SubpixelConv(nn.Conv2d):
    """Convolution of odd kernel and "same" padding to few channels, such as those of a picture.

    Computes each 2x2 block of the output as four times the channels of one pixel, with the kernel
    laid out at its four places, and spreads them (the sub-pixel convolution of arXiv 1609.05158):
    on a CPU 3 channels leave most lanes of the vector units empty. 7x7, 64 maps of 128 channels at
    64 px, forward and backward: 309 ms as 145 in bf16, 514 as 235 in float32.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Height and width are even."""
        places = [(right, down) for down in (0, 1) for right in (0, 1)]
        kernels = [pad(self.weight, (right, 1 - right, down, 1 - down)) for right, down in places]
        weight = torch.stack(kernels, dim=1).flatten(0, 1)
        assert self.bias is not None
        bias = self.bias.repeat_interleave(len(places))
        blocks = conv2d(
            input,
            weight.contiguous(memory_format=torch.channels_last),
            bias,
            stride=2,
            padding=self.padding,
        )
        return pixel_shuffle(blocks, 2)


class MinibatchStd(nn.Module):
    """How much the images of a batch differ, as one channel more: arXiv 1710.10196, section 3.

    The standard deviation of each feature at each place over a group of images, averaged over
    features and places. So a discriminator sees where a generator's faces are too much alike.

    Parameters:
        group: images that are compared (4 in StyleGAN), which follow each other in the batch; where
            it cannot be divided into groups of so many, the largest smaller ones that it can be
            divided into.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c+1 h w"]:
        count = len(maps)
        group = next(size for size in range(min(self.group, count), 0, -1) if count % size == 0)
        together = maps.float().unflatten(0, (-1, group))
        variance = together.var(1, correction=0)
        deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))  # sqrt has no slope at 0
        channel = deviation.repeat_interleave(group).to(maps.dtype).view(-1, 1, 1, 1)
        return torch.cat([maps, channel.expand(-1, 1, *maps.shape[2:])], dim=1)
