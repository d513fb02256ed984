"""3x3 convolutions merged with the resampling next to them: the same results in less time.

Instead of 9 multiplications per pixel of the larger map a merged kernel of 4x4 takes 4. Forward and
backward on one core of a CPU, 16 maps, merged and separate:

    convolution                  float32          bf16
    doubling  8 px, 256 -> 128   39 and 67 ms     25 and 54 ms
    doubling 16 px, 128 -> 64    37 and 94 ms     26 and 38 ms
    doubling 32 px,  64 -> 32    76 and 86 ms     28 and 46 ms
    halving  64 px,  32          22 and 50 ms     13 and 33 ms
    halving  16 px, 128          17 and 37 ms     11 and 20 ms
    halving   8 px, 256          23 and 33 ms     16 and 18 ms
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, pad

SMALL = 4  # px


class DoublingConv(nn.Conv2d):
    """Nearest-neighbour doubling and a 3x3 convolution, as one transposed convolution.

    Maps of 4 px stay as they are: merging the kernel takes longer than it saves there (16 maps, 512
    to 256 channels: 93 and 65 ms in float32, 56 and 34 ms in bf16).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d 2*h 2*w"]:
        if input.shape[3] <= SMALL:
            return super().forward(interpolate(input, scale_factor=2.0))
        kernel = _with_box(self.weight).flip(2, 3).transpose(0, 1)
        doubled = conv_transpose2d(input, kernel, stride=2, padding=1)
        assert self.bias is not None
        return doubled.add_(self.bias.to(doubled.dtype).view(1, -1, 1, 1))


class HalvingConv(nn.Conv2d):
    """3x3 convolution and the mean over blocks of 2x2 pixels, as one convolution of stride 2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h/2 w/2"]:
        return conv2d(input, _with_box(self.weight) / 4, self.bias, stride=2, padding=1)


def _with_box(kernel: Float[Tensor, "d c 3 3"]) -> Float[Tensor, "d c 4 4"]:
    """Return a kernel convolved with a box of 2x2 ones."""
    rows = pad(kernel, (0, 0, 0, 1)) + pad(kernel, (0, 0, 1, 0))
    return pad(rows, (0, 1)) + pad(rows, (1, 0))
