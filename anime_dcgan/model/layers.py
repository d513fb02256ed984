"""Layers that torch lacks, and layers that train faster than torch's equivalents."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, linear, normalize, pad, pixel_shuffle
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import register_parametrization

from anime_dcgan.system.errors import UserError


def normalise_spectrally(network: nn.Module) -> None:
    """Divide the weight of each layer by its largest singular value: arXiv 1802.05957.

    Each forward pass in training mode takes one step of the power iteration on the weight, reshaped
    to a matrix of its first axis against the others (section 2.1).
    """
    if has_spectral_norm(network):
        raise UserError("this network has spectral normalisation already: add it only once")
    layers = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    for layer in layers:
        register_parametrization(layer, "weight", SpectralNorm(layer.weight))


def has_spectral_norm(network: nn.Module) -> bool:
    """Return True if any weight of the network is divided by its spectral norm."""
    return any(isinstance(module, SpectralNorm) for module in network.modules())


class ConditionalBatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose gain and bias depend on a condition: arXiv 1707.00683.

    Linear functions of the condition, such as the embedding of a label, are added to the gain and
    the bias, which are those of the layer itself, or 1 and 0.

    Parameters:
        affine: True gives the layer a gain and a bias of its own.
    """

    is_conditional = True

    def __init__(self, channels: int, condition_dim: int, affine: bool = True) -> None:
        super().__init__(channels, affine=affine)
        self.gain = nn.Linear(condition_dim, channels, bias=False)
        self.shift = nn.Linear(condition_dim, channels, bias=False)

    def forward(
        self, input: Float[Tensor, "n c h w"], condition: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n c h w"]:
        gain, shift = 1 + self.gain(condition), self.shift(condition)
        return torch.addcmul(
            shift[:, :, None, None], super().forward(input), gain[:, :, None, None]
        )


class SpectralNorm(_SpectralNorm):
    """Torch's spectral normalisation, in float32 and with another evaluation mode.

    In evaluation mode it computes what a pass in training mode would, but keeps the vectors of the
    power iteration as they are. Torch takes these for the singular vectors, which those of a moving
    average are not: the weights would be too large.
    """

    def forward(self, weight: Float[Tensor, "d ..."]) -> Float[Tensor, "d ..."]:
        if weight.is_meta:  # to which autocast does not apply
            return weight
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight) if self.training else self._evaluate(weight)

    def _evaluate(self, weight: Float[Tensor, "d ..."]) -> Float[Tensor, "d ..."]:
        matrix = weight.flatten(1)
        with torch.no_grad():
            left = normalize(matrix @ self._v, dim=0, eps=self.eps)
            right = normalize(matrix.T @ left, dim=0, eps=self.eps)
        return weight / torch.vdot(left, matrix @ right)


class Upsample(nn.ConvTranspose2d):
    """4x4 transposed convolution of stride 2 that adds its bias in a separate operation.

    In bf16 on a CPU the fused gradient of the bias takes longer than those of input and weight
    together: 223 ms with it, 60 ms without bias, 67 ms in this form (64 maps of 128 channels, 32 to
    64 px).
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
    """Convolution of odd kernel size and "same" padding to few channels, such as those of an image.

    It computes each 2x2 block of the output as one pixel with four times the channels, the kernel
    being laid out at the four positions, and rearranges them (sub-pixel convolution, arXiv
    1609.05158): on a CPU 3 output channels leave most vector lanes empty. A 7x7 convolution of 64
    maps of 128 channels at 64 px, forward and backward, takes 145 instead of 309 ms in bf16 and 235
    instead of 514 ms in float32.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Convolve images of even height and width."""
        offsets = [(right, down) for down in (0, 1) for right in (0, 1)]
        kernels = [pad(self.weight, (right, 1 - right, down, 1 - down)) for right, down in offsets]
        weight = torch.stack(kernels, dim=1).flatten(0, 1)
        assert self.bias is not None
        bias = self.bias.repeat_interleave(len(offsets))
        blocks = conv2d(
            input,
            weight.contiguous(memory_format=torch.channels_last),
            bias,
            stride=2,
            padding=self.padding,
        )
        return pixel_shuffle(blocks, 2)


class MinibatchStd(nn.Module):
    """Minibatch standard deviation as an additional channel: arXiv 1710.10196, section 3.

    The standard deviation of each feature at each position over a group of images, averaged over
    features and positions. It shows the discriminator when a generator's faces are too similar.

    Parameters:
        group: number of consecutive images that are compared (4 in StyleGAN). If the batch does not
            divide into groups of that size, the largest smaller size that divides it is used.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c+1 h w"]:
        count = len(maps)
        group = next(size for size in range(min(self.group, count), 0, -1) if count % size == 0)
        grouped = maps.float().unflatten(0, (-1, group))
        variance = grouped.var(1, correction=0)
        deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))  # sqrt is not differentiable at 0
        channel = deviation.repeat_interleave(group).to(maps.dtype).view(-1, 1, 1, 1)
        return torch.cat([maps, channel.expand(-1, 1, *maps.shape[2:])], dim=1)


class EqualisedLinear(nn.Linear):
    """Linear layer at an equalised learning rate: arXiv 1710.10196, section 4.1.

    The weights are stored as N(0, 1) / rate and multiplied by gain * rate / sqrt(in_features) when
    they are used. A step of Adam, whose size does not depend on that of the gradient, then changes
    all layers in proportion to their weights. The factor is applied to the inputs, which are fewer
    than the weights.

    Parameters:
        bias: initial value of the outputs' bias; None omits it.
        rate: multiplier of the learning rate of weights and biases.
        gain: factor of the outputs, for instance of an activation that follows.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: float | None = 0.0,
        rate: float = 1.0,
        gain: float = 1.0,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias is not None)
        nn.init.normal_(self.weight, std=1 / rate)
        if bias is not None:
            nn.init.constant_(self.bias, bias / rate)
        self.weight_scale = gain * rate / math.sqrt(in_features)
        self.bias_scale = gain * rate

    def forward(self, input: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        bias = None if self.bias is None else self.bias_scale * self.bias
        return linear(self.weight_scale * input, self.weight, bias)


class EqualisedConv(nn.Conv2d):
    """Convolution at an equalised learning rate: see `EqualisedLinear`.

    Parameters:
        gain: factor of the outputs, for instance of an activation that follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.weight_scale = gain / math.sqrt(in_channels * kernel_size**2)
        self.bias_scale = gain

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d _ _"]:
        bias = None if self.bias is None else self.bias_scale * self.bias
        weight = self.weight_scale * self.weight
        return conv2d(input, weight, bias, self.stride, self.padding)


def has_equalised_rates(network: nn.Module) -> bool:
    """Return True if the network scales its weights when it uses them."""
    kinds = EqualisedLinear | EqualisedConv
    return any(isinstance(module, kinds) for module in network.modules())
