"""StyleGAN2: Karras et al. 2020, arXiv 1912.04958, with the smaller widths of arXiv 2006.06676.

Skip generator and residual discriminator (section 4.1), modulated and demodulated convolutions
(section 2.2), and the mapping network, style mixing and noise inputs of StyleGAN, arXiv 1812.04948.
Images are NCHW. As in the paper the generator ends without a tanh, so that its images may exceed
[-1, 1]; the discriminator, which sees them as they are, keeps them near.
"""

import math
from collections.abc import Sequence
from itertools import pairwise, zip_longest

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.functional import avg_pool2d

from anime_dcgan.model import base
from anime_dcgan.model.growth import Growth, check_start_size, double
from anime_dcgan.model.layers import EqualisedConv, EqualisedLinear, MinibatchStd
from anime_dcgan.model.mapping import Mapping, mean_styles
from anime_dcgan.model.recompute import Block
from anime_dcgan.model.resampling import blur, downsample, upsample
from anime_dcgan.model.sizes import doubled_sizes
from anime_dcgan.system.errors import UserError

LEAK = 0.2  # negative slope of every leaky ReLU
GAIN = math.sqrt(2)  # of every leaky ReLU; applied before it, together with another factor
MEAN_STYLE_DECAY = 0.995  # of the mean style, per batch
GROUP = 4  # images per group of the minibatch standard deviation


def _channels(player: str, width: int, channel_base: int, image_size: int) -> list[int]:
    """Return the channels of the maps from 4 px to `image_size` px."""
    base.check_width(player, width)
    sizes = doubled_sizes("stylegan2", image_size)
    if channel_base < image_size:
        raise UserError(
            f"model.channel_base={channel_base} leaves no channels at {image_size} px: "
            f"use model.channel_base={32 * width}"
        )
    return [min(width, channel_base // size) for size in sizes]


class StyledConv(Block):
    """3x3 convolution modulated by a style, with noise, bias and leaky ReLU.

    Weights of an image's own would be w * s / |w * s|, s being the scales of the input channels and
    the norm that of each output channel (arXiv 1912.04958, equations 1 and 3). Scaling the inputs
    and the outputs instead gives the same, and convolves all images of a batch at once.

    Parameters:
        doubles: True doubles the size, by a transposed convolution of stride 2 and a blur. On a CPU
            this takes a third of the time of `upsample` followed by the convolution, its equal
            except at the edges.
        noise: False omits the noise.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        style_dim: int,
        doubles: bool = False,
        noise: bool = True,
    ) -> None:
        super().__init__()
        self.doubles = doubles
        self.gain = 4 * GAIN if doubles else GAIN  # 4 for the zeros between the pixels
        self.to_scales = EqualisedLinear(style_dim, in_channels, bias=1.0)
        shape = (in_channels, out_channels) if doubles else (out_channels, in_channels)
        self.weight = nn.Parameter(torch.randn(*shape, 3, 3))
        self.bias = nn.Parameter(torch.zeros(1, out_channels, 1, 1))
        self.noise_strength = nn.Parameter(torch.zeros(())) if noise else None

    def forward(
        self,
        maps: Float[Tensor, "n c h w"],
        style: Float[Tensor, "n style_dim"],
        noise: Float[Tensor, "n 1 _ _"] | None,
    ) -> Float[Tensor, "n d _ _"]:
        with torch.autocast(style.device.type, enabled=False):
            scales = self.to_scales(style)
            inverse_norms = self._inverse_norms(scales)
        maps = self._convolve(maps * scales.to(maps.dtype)[:, :, None, None])
        gains = (self.gain * inverse_norms).to(maps.dtype)[:, :, None, None]
        maps = (maps * gains).add_((GAIN * self.bias).to(maps.dtype))
        if self.noise_strength is not None and noise is not None:
            maps = maps.add_((GAIN * self.noise_strength * noise).to(maps.dtype))
        return F.leaky_relu(maps, LEAK, inplace=True)

    def _inverse_norms(self, scales: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        squares = self.weight.square().sum((2, 3))
        if self.doubles:
            squares = squares.T
        return (F.linear(scales.square(), squares) + 1e-8).rsqrt()

    def _convolve(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d _ _"]:
        if not self.doubles:
            return F.conv2d(maps, self.weight, padding=1)
        return blur(F.conv_transpose2d(maps, self.weight, stride=2), padding=1)


class ToRGB(nn.Module):
    """1x1 convolution to an image, modulated by a style but not demodulated.

    It multiplies each image's pixels by a matrix of its own, which on a CPU takes 0.6 times as long
    in bf16 as scaling the maps and convolving them.
    """

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.to_scales = EqualisedLinear(style_dim, channels, bias=1.0)
        self.scale = 1 / math.sqrt(channels)
        self.weight = nn.Parameter(torch.randn(3, channels))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(
        self, maps: Float[Tensor, "n c h w"], style: Float[Tensor, "n style_dim"]
    ) -> Float[Tensor, "n 3 h w"]:
        """Return images in float32."""
        with torch.autocast(style.device.type, enabled=False):
            scales = self.scale * self.to_scales(style)
            weights = scales[:, :, None] * self.weight.T
        pixels = maps.permute(0, 2, 3, 1).flatten(1, 2) @ weights.to(maps.dtype)
        images = pixels.unflatten(1, maps.shape[2:]).permute(0, 3, 1, 2)
        return images.to(weights.dtype) + self.bias.view(-1, 1, 1)


class Generator(base.Generator):
    """Mapping network, and styled convolutions at each size from 4 px; the images are summed up.

    Parameters:
        width: maximum number of channels.
        channel_base: maximum number of channels times the size in px.
        mapping_layers: number of layers of the mapping network.
        mixing: probability, in training mode, that an image takes its later layers' styles from a
            second latent (style mixing, arXiv 1812.04948, section 3.1).
        noise: False omits the noise, so that a latent determines its image.

    Attributes:
        mean_style: running mean of the styles, updated by each batch in training mode.
    """

    mean_style: Tensor

    def __init__(
        self,
        latent_dim: int = 512,
        style_dim: int = 512,
        width: int = 512,
        channel_base: int = 16384,
        mapping_layers: int = 2,
        mixing: float = 0.9,
        noise: bool = True,
        image_size: int = 64,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(latent_dim, labels)
        channels = _channels("generator", width, channel_base, image_size)
        _check_settings(style_dim, mapping_layers, mixing)
        self.mixing = mixing
        self.style_layers = 2 * len(channels)
        self.mapping = Mapping(latent_dim, style_dim, mapping_layers, self.embedding_dim)
        self.register_buffer("mean_style", torch.zeros(style_dim))
        self.constant = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        convolutions = [StyledConv(channels[0], channels[0], style_dim, noise=noise)]
        for before, after in pairwise(channels):
            convolutions += [
                StyledConv(before, after, style_dim, doubles=True, noise=noise),
                StyledConv(after, after, style_dim, noise=noise),
            ]
        self.convolutions = nn.ModuleList(convolutions)
        self.to_rgb = nn.ModuleList(ToRGB(count, style_dim) for count in channels)
        self.growth = Growth(image_size)
        sizes = doubled_sizes("stylegan2", image_size)
        self.noise_sizes = sizes[:1] + [size for size in sizes[1:] for _ in range(2)]
        self.noise_dim = sum(size**2 for size in self.noise_sizes) if noise else 0

    def styles(
        self,
        latents: Float[Tensor, "n latent_dim"],
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Return a style for each layer: the same one, unless styles are mixed in training mode."""
        if not self.training:
            return self._for_all_layers(self._style(latents, labels))
        style, other = self._training_styles(latents, labels)
        self._update_mean(style.detach())
        return self._for_all_layers(style) if other is None else self._mix(style, other)

    def synthesise(
        self,
        styles: Float[Tensor, "n style_layers style_dim"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return images, whose values are not bounded.

        The first style is that of 4 px, and two follow for each doubling.
        """
        noises = self._split(self._default_noise(styles) if noise is None else noise)
        maps = self.constant.expand(styles.shape[0], -1, -1, -1)  # len() would be a constant
        images = None
        for layer, convolution in enumerate(self.convolutions):
            if self.noise_sizes[layer] > self.growth.size:
                break
            maps = convolution(maps, styles[:, layer], noises[layer])
            if layer % 2 == 0:  # the image shares its style with the next layer
                image = self.to_rgb[layer // 2](maps, styles[:, layer + 1])
                images = image if images is None else self._add(images, image)
        assert images is not None
        return self.growth.enlarge(images)

    def _add(
        self, coarse: Float[Tensor, "n 3 _ _"], image: Float[Tensor, "n 3 h w"]
    ) -> Float[Tensor, "n 3 h w"]:
        """Add the image of a size to that of the smaller ones, or as much as has faded in."""
        images = upsample(coarse) + image
        if not self.growth.is_fading or image.shape[-1] < self.growth.size:
            return images
        return torch.lerp(double(coarse), images, self.growth.fade.to(images.dtype))

    def truncate(
        self,
        styles: Float[Tensor, "n style_layers style_dim"],
        truncation: float,
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Move styles towards the mean style of their label.

        Without labels that is the mean style of all images. Styles of a known label would lose the
        label on the way to it.
        """
        if truncation == 1:
            return styles
        if labels is None or not self.labels:
            return torch.lerp(self.mean_style.expand_as(styles), styles, truncation)
        means = mean_styles(self._style, self.latent_dim, labels.to(styles.device))
        return torch.lerp(means.unsqueeze(1).expand_as(styles), styles, truncation)

    def _style(
        self, latents: Float[Tensor, "n latent_dim"], labels: Float[Tensor, "n classes"] | None
    ) -> Float[Tensor, "n style_dim"]:
        return self.mapping(self.with_embedding(latents, labels))

    def _training_styles(
        self,
        latents: Float[Tensor, "n latent_dim"],
        labels: Float[Tensor, "n classes"] | None,
    ) -> tuple[Float[Tensor, "n style_dim"], Float[Tensor, "n style_dim"] | None]:
        """Return the styles of these latents, and those of others if styles are mixed."""
        if not self.mixing:
            return self._style(latents, labels), None
        both = torch.cat([latents, torch.randn_like(latents)])
        style, other = self._style(both, None if labels is None else labels.repeat(2, 1)).chunk(2)
        return style, other

    @torch.no_grad()
    def _update_mean(self, style: Float[Tensor, "n style_dim"]) -> None:
        self.mean_style.lerp_(style.mean(0), 1 - MEAN_STYLE_DECAY)

    def _mix(
        self, style: Float[Tensor, "n style_dim"], other: Float[Tensor, "n style_dim"]
    ) -> Float[Tensor, "n style_layers style_dim"]:
        """Replace the styles from a random layer on, for a random part of the images."""
        shape, device = (len(style), 1), style.device
        crossover = torch.randint(1, self.style_layers, shape, device=device)
        is_mixed = torch.rand(shape, device=device) < self.mixing
        layers = torch.arange(self.style_layers, device=device)
        is_replaced = is_mixed & (layers >= crossover)
        return torch.where(is_replaced.unsqueeze(2), other.unsqueeze(1), style.unsqueeze(1))

    def _for_all_layers(
        self, style: Float[Tensor, "n style_dim"]
    ) -> Float[Tensor, "n style_layers style_dim"]:
        return style.unsqueeze(1).expand(-1, self.style_layers, -1)

    def _default_noise(self, styles: Float[Tensor, "n _ _"]) -> Float[Tensor, "n noise_dim"]:
        if self.training:
            return torch.randn(len(styles), self.noise_dim, device=styles.device)
        return self.fixed_noise().to(styles.device).expand(len(styles), -1)

    def _split(
        self, noise: Float[Tensor, "n noise_dim"]
    ) -> Sequence[Float[Tensor, "n 1 _ _"] | None]:
        if not self.noise_dim:
            return [None] * len(self.noise_sizes)
        parts = noise.split([size**2 for size in self.noise_sizes], dim=1)
        return [
            part.unflatten(1, (1, size, size))
            for part, size in zip(parts, self.noise_sizes, strict=True)
        ]


def _check_settings(style_dim: int, mapping_layers: int, mixing: float) -> None:
    if style_dim < 1:
        raise UserError(f"model.style_dim={style_dim} leaves no style: use 1 or more")
    if mapping_layers < 1:
        raise UserError(
            f"model.generator.mapping_layers={mapping_layers} leaves no mapping network: "
            "use model.generator.mapping_layers=2"
        )
    if not 0 <= mixing <= 1:
        raise UserError(
            f"model.generator.mixing={mixing} is not a probability: "
            "use model.generator.mixing=0.9, or 0 to disable style mixing"
        )


class ResidualBlock(Block):
    """Two 3x3 convolutions that halve the size, and a 1x1 shortcut; the sum has unit variance.

    The second convolution has stride 2 and follows a blur, which takes a third of the time of a
    convolution that is filtered and thinned out afterwards.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = EqualisedConv(in_channels, in_channels, 3, padding=1, gain=GAIN)
        self.second = EqualisedConv(in_channels, out_channels, 3, stride=2)  # GAIN / sqrt(2)
        self.shortcut = EqualisedConv(in_channels, out_channels, 1, bias=False, gain=1 / GAIN)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h/2 w/2"]:
        shortcut = self.shortcut(downsample(maps))
        maps = F.leaky_relu(self.first(maps), LEAK, inplace=True)
        maps = F.leaky_relu(self.second(blur(maps, padding=2)), LEAK, inplace=True)
        return maps + shortcut


class Discriminator(base.Discriminator):
    """Residual blocks down to 4 px, minibatch standard deviation, and two linear layers.

    Parameters:
        width: maximum number of channels.
        channel_base: maximum number of channels times the size in px.
        start_size: smallest size of images at which a training may begin, px; None is `image_size`.
    """

    def __init__(
        self,
        width: int = 512,
        channel_base: int = 16384,
        image_size: int = 64,
        start_size: int | None = None,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        channels = _channels("discriminator", width, channel_base, image_size)
        start_size = image_size if start_size is None else start_size
        check_start_size(start_size, image_size)
        last = channels[0]
        self.growth = Growth(image_size)
        entrances = channels[start_size.bit_length() - 3 :]  # channels at each size, from the first
        self.from_rgb = nn.ModuleList(EqualisedConv(3, count, 1, gain=GAIN) for count in entrances)
        self.blocks = nn.ModuleList(
            ResidualBlock(after, before) for before, after in pairwise(channels)
        )
        self.compare = MinibatchStd(GROUP)
        self.convolution = EqualisedConv(last + 1, last, 3, padding=1, gain=GAIN)
        self.dense = EqualisedLinear(4 * 4 * last, last, gain=GAIN)
        self.to_logit = EqualisedLinear(last, 1)
        self.label_vectors = _label_vectors(len(labels), last) if labels else None

    def layers_from_image(self) -> list[list[nn.Module]]:
        """Return the residual blocks, each with the convolution by which its images enter."""
        pairs = zip_longest(reversed(self.from_rgb), reversed(self.blocks))
        return [[module for module in pair if module is not None] for pair in pairs]

    def forward(
        self, images: Float[Tensor, "n 3 h w"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n"]:
        """Return raw logits; higher means more real."""
        maps = self.compare(self._reduce(self.growth.shrink(images)))
        maps = F.leaky_relu(self.convolution(maps), LEAK, inplace=True)
        features = F.leaky_relu(self.dense(maps.flatten(1)), LEAK, inplace=True)
        return self.add_label_logits(self.to_logit(features).squeeze(1), features, labels)

    def _reduce(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c 4 4"]:
        """Return the maps at 4 px of images of the present size."""
        stage = self.growth.size.bit_length() - 3  # doublings from 4 px
        maps = self._enter(images, stage)
        for number in reversed(range(stage)):
            maps = self.blocks[number](maps)
            if number == stage - 1 and self.growth.is_fading:
                coarse = self._enter(avg_pool2d(images, 2), number)
                maps = torch.lerp(coarse, maps, self.growth.fade.to(maps.dtype))
        return maps

    def _enter(self, images: Float[Tensor, "n 3 h w"], stage: int) -> Float[Tensor, "n c h w"]:
        from_rgb = self.from_rgb[stage - len(self.blocks) - 1]  # the last one is that of full size
        return F.leaky_relu(from_rgb(images), LEAK, inplace=True)


def _label_vectors(classes: int, features: int) -> EqualisedLinear:
    """Return a layer whose products with features of unit variance have unit variance."""
    return EqualisedLinear(classes, features, bias=None, gain=math.sqrt(classes / features))
