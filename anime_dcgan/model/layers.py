"""Layers that compute what torch's own do, in a form that trains faster."""

from jaxtyping import Float
from torch import Tensor, nn
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
        doubled = nn.functional.conv_transpose2d(input, self.weight, stride=2, padding=1)
        assert self.bias is not None
        return doubled.add_(self.bias.to(doubled.dtype).view(1, -1, 1, 1))
