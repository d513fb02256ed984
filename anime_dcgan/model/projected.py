"""Projected discriminator: Sauer, Chitta, Müller & Geiger 2021, arXiv 2111.01007.

It looks at the maps of a fixed, pretrained network at several scales, which fixed random
convolutions mix across channels and scales. Each scale has a small head with its own logit.
Such features see little of colours and coarse layout, so that further heads look at the pixels.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from anime_dcgan.model import base
from anime_dcgan.model.features import SETTING, Features, make_features
from anime_dcgan.model.layers import normalise_spectrally
from anime_dcgan.model.recompute import Stack
from anime_dcgan.system.errors import UserError

LAST_SIZE = 4  # px of the map from which a head computes its logit
GROUPS = 8  # of group normalisation
MIN_RESIZE = 8  # px
LEAK = 0.2


class Mixing(nn.Module):
    """Fixed random projections of maps across channels and scales: section 3.2 of the paper.

    Each map is projected by a random 1x1 convolution. From the coarsest map to the finest one, each
    is then enlarged, projected again and averaged with the next finer one, so that every map
    contains all coarser ones.

    Parameters:
        in_channels, out_channels: of the maps, the finest first.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: Sequence[int]) -> None:
        super().__init__()
        self.scales = len(in_channels)
        for scale, (before, after) in enumerate(zip(in_channels, out_channels, strict=True)):
            self.register_buffer(f"channels{scale}", _random_projection(before, after))
            if scale:
                projection = _random_projection(after, out_channels[scale - 1])
                self.register_buffer(f"scales{scale}", projection)
        self.train(False)

    def train(self, mode: bool = True) -> "Mixing":
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> list[Float[Tensor, "n _ _ _"]]:
        mixed = [F.conv2d(each, self._buffer("channels", k)) for k, each in enumerate(maps)]
        for scale in range(self.scales - 1, 0, -1):
            finer = mixed[scale - 1]
            coarser = F.conv2d(mixed[scale], self._buffer("scales", scale))
            coarser = F.interpolate(
                coarser, size=finer.shape[2:], mode="bilinear", align_corners=False
            )
            mixed[scale - 1] = (finer + coarser) * math.sqrt(0.5)
        return mixed

    def _buffer(self, kind: str, scale: int) -> Tensor:
        return self.get_buffer(f"{kind}{scale}")


def _random_projection(in_channels: int, out_channels: int) -> Float[Tensor, "d c 1 1"]:
    """Return the weights of a 1x1 convolution that keeps the variance of independent channels."""
    return torch.randn(out_channels, in_channels, 1, 1) / math.sqrt(in_channels)


class Head(nn.Module):
    """Strided 4x4 convolutions down to 4 px, and a convolution to one logit; leaky ReLU.

    Parameters:
        in_channels, size: of the maps, and their side in px.
        width: channels after the first convolution; doubled by each further one.
        max_width: maximum number of channels.
        normalises: True adds group normalisation, which hides the brightness and the contrast of an
            image.
        classes: number of labels.
    """

    def __init__(
        self,
        in_channels: int,
        size: int,
        width: int,
        max_width: int,
        normalises: bool,
        classes: int = 0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, after = in_channels, min(width, max_width)
        while size > LAST_SIZE:
            layers.append(nn.Conv2d(channels, after, 4, stride=2, padding=1))
            if normalises:
                layers.append(nn.GroupNorm(math.gcd(GROUPS, after), after))
            layers.append(nn.LeakyReLU(LEAK, inplace=True))
            channels, after, size = after, min(2 * after, max_width), size // 2
        kernel = 3 if size >= 3 else 1
        layers.append(nn.Conv2d(channels, max_width, kernel, padding=kernel // 2))
        layers.append(nn.LeakyReLU(LEAK, inplace=True))
        self.layers = Stack(*layers)
        self.to_logit = nn.Conv2d(max_width, 1, size)
        features = max_width * size**2
        self.label_vectors = nn.Linear(classes, features, bias=False) if classes else None

    @property
    def entrance(self) -> nn.Module:
        """The layer that receives the maps."""
        return next(iter(self.layers))

    def forward(
        self, maps: Float[Tensor, "n c h w"], labels: Float[Tensor, "n classes"] | None
    ) -> Float[Tensor, " n"]:
        maps = self.layers(maps)
        logits = self.to_logit(maps).flatten()
        return base.add_label_logits(logits, maps.flatten(1), labels, self.label_vectors)


class Discriminator(base.FixedFirst):
    """Heads on the mixed maps of a fixed network, and on the pixels.

    Parameters:
        features: name of the network: "efficientnet_lite0" or "mobilenet_v2".
        weights: path of MobileNetV2's weights; None uses torch's cache, and downloads them if
            necessary.
        scales: number of maps, at strides of 4, 8, 16 and 32 px; each has a head.
        resize: side of the images that the network receives, px; None is `image_size`.
        width: channels of the finest mixed map, doubled at each coarser one.
        head_width: maximum number of channels of a head.
        pixels: maximum side of the images that a head on pixels receives, px; larger ones are
            reduced by a whole factor. A sequence gives several heads; 0 or an empty one omits them.
        unshuffle: True moves the pixels of each block into channels (arXiv 1609.05158, section 2.2,
            inverted), so that those heads see every detail; False averages them.
        pixel_width: channels of the first convolution of those heads.
        pixel_weight: factor of the gradient that the generator receives through those heads; 1
            treats them like the others.
        spectral_norm: True divides each trained weight by its largest singular value.
    """

    has_heads = True
    features: Features

    def __init__(
        self,
        features: str = "efficientnet_lite0",
        weights: str | None = None,
        scales: int = 4,
        resize: int | None = None,
        width: int = 32,
        head_width: int = 128,
        pixels: int | Sequence[int] = 32,
        unshuffle: bool = False,
        pixel_width: int = 32,
        pixel_weight: float = 1.0,
        image_size: int = 64,
        spectral_norm: bool = True,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.label_vectors = None  # each head has its own
        self.resize = image_size if resize is None else resize
        sides = _list_sides(pixels)
        _check_settings(self.resize, width, head_width, pixel_width, image_size)
        _check_weight(pixel_weight)
        self.pixel_weight = pixel_weight
        self.factors = [math.ceil(image_size / side) for side in sides]
        self.unshuffle = unshuffle
        if unshuffle:
            _check_blocks(image_size, sides, self.factors)
        self.features = make_features(features, self.resize, scales, weights)
        shapes = self.features.shapes(self.resize)
        widths = [width * 2**scale for scale in range(len(shapes))]
        self.mix = Mixing([channels for channels, _ in shapes], widths)
        map_shapes = [(after, size) for after, (_, size) in zip(widths, shapes, strict=True)]
        pixel_shapes = [
            (3 * factor**2 if unshuffle else 3, image_size // factor) for factor in self.factors
        ]
        heads = [
            Head(channels, size, 2 * channels, head_width, True, len(labels))
            for channels, size in map_shapes
        ]
        heads += [
            Head(channels, size, pixel_width, head_width, False, len(labels))
            for channels, size in pixel_shapes
        ]
        self._shapes = [(channels, size, size) for channels, size in map_shapes + pixel_shapes]
        self._scales = [self.features.map_scale] * len(map_shapes) + [1.0] * len(pixel_shapes)
        self.heads = nn.ModuleList(heads)
        if spectral_norm:
            normalise_spectrally(self)

    @property
    def pretrained(self) -> dict[str, str]:
        return {self.features.name: self.features.sha256}

    def forward(
        self, images: Float[Tensor, "n 3 h w"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, "n heads"]:
        """Return the raw logits of the scales, the finest first, and of the pixels."""
        return self._judge(self._maps(images), labels)

    def encode(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the mixed maps of the scales and the pixels, flattened.

        The maps are scaled to a standard deviation near 1, so that penalties on the gradient weigh
        about the same for heads on features as for those on pixels.
        """
        maps = self._maps(images)
        scaled = [each.flatten(1) / scale for each, scale in zip(maps, self._scales, strict=True)]
        return torch.cat(scaled, dim=1)

    def judge(
        self, encoded: Float[Tensor, "n d"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, "n heads"]:
        sizes = [math.prod(shape) for shape in self._shapes]
        parts = zip(encoded.split(sizes, dim=1), self._shapes, self._scales, strict=True)
        maps = [each.unflatten(1, shape) * scale for each, shape, scale in parts]
        return self._judge(maps, labels)

    def _maps(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n _ _ _"]]:
        """Return what each head receives."""
        maps = self.mix(self.features(self._resize(images)))
        weighted = scale_gradient(images, self.pixel_weight)
        reduce = F.pixel_unshuffle if self.unshuffle else F.avg_pool2d
        return maps + [reduce(weighted, factor) for factor in self.factors]

    def _judge(
        self,
        maps: Sequence[Float[Tensor, "n _ _ _"]],
        labels: Float[Tensor, "n classes"] | None,
    ) -> Float[Tensor, "n heads"]:
        logits = [head(each, labels) for head, each in zip(self.heads, maps, strict=True)]
        return torch.stack(logits, dim=1)

    def _resize(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 _ _"]:
        if images.shape[-1] == self.resize:
            return images
        resized = F.interpolate(  # antialias: every pixel counts; not implemented for bfloat16
            images.float(), self.resize, mode="bilinear", align_corners=False, antialias=True
        )
        return resized.to(images.dtype)


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """Return `x`; its gradient is multiplied by `factor`."""
    return x if factor == 1 else x.detach().lerp(x, factor)


def _list_sides(pixels: int | Sequence[int]) -> list[int]:
    sides = [pixels] if isinstance(pixels, int) else list(pixels)
    sides = [] if sides == [0] else sides
    for side in sides:
        if side < LAST_SIZE:
            raise UserError(
                f"{SETTING}.pixels has {side}, less than {LAST_SIZE} px: use {SETTING}.pixels=32, "
                "a list such as [64,32], or 0 to omit the heads on pixels"
            )
    return sides


def _check_blocks(image_size: int, sides: Sequence[int], factors: Sequence[int]) -> None:
    for side, factor in zip(sides, factors, strict=True):
        if image_size % factor:
            raise UserError(
                f"{SETTING}.unshuffle=true: images of {image_size} px have no whole blocks of "
                f"{factor} px for {SETTING}.pixels={side}: use another data.image_size, or false"
            )


def _check_settings(
    resize: int, width: int, head_width: int, pixel_width: int, image_size: int
) -> None:
    for name, value in (("width", width), ("head_width", head_width), ("pixel_width", pixel_width)):
        if value < 1:
            raise UserError(f"{SETTING}.{name}={value} leaves no channels: use 1 or more")
    if resize < MIN_RESIZE:
        raise UserError(
            f"{SETTING}.resize={resize} leaves nothing of an image: use {SETTING}.resize="
            f"{image_size}, or null"
        )


def _check_weight(weight: float) -> None:
    if not 0 < weight < math.inf:
        raise UserError(
            f"{SETTING}.pixel_weight={weight} is not a positive factor: use 1, "
            f"or {SETTING}.pixels=0 to omit the heads on pixels"
        )
