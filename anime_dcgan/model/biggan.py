"""BigGAN: Brock, Donahue & Simonyan 2019, arXiv 1809.11096.

Residual networks with self-attention and spectral normalisation. Each block of the generator has
a chunk of the latent of its own, which conditions its batch normalisation together with the
embedding of the label, if there is one. Images are NCHW in
[-1, 1]; the number of blocks follows the image size.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from anime_dcgan.model import base
from anime_dcgan.model.attention import SelfAttention
from anime_dcgan.model.fused import DoublingConv, HalvingConv
from anime_dcgan.model.layers import (
    ConditionalBatchNorm,
    SubpixelConv,
    normalise_spectrally,
)
from anime_dcgan.model.recompute import Block
from anime_dcgan.model.sizes import doubled_sizes
from anime_dcgan.system.errors import UserError

MAX_MULTIPLE = 16  # of the width, in the table of channels
MAX_ATTENTION = 64  # px, where the place of self-attention is not set
SQRT_2 = math.sqrt(2)
ERFINV = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
CUT = 2.0  # standard deviations at which the normal distribution of truncated latents ends


def _channels(width: int, size: int, image_size: int) -> int:
    """Return the channels of the generator's map of `size` px; those of the image have `width`.

    They double whenever the size halves, up to 16 times the width: 16, 8, 4, 2, 1 at 64 px as in
    the code of StudioGAN (arXiv 2206.09479), and 16, 16, 8, 4, 2, 1 at 128 px as in the paper.
    """
    return width * min(MAX_MULTIPLE, image_size // size)


def _place_of_attention(attention: int | None, image_size: int) -> int:
    """Return the size of the map that has self-attention; 0 if none has it."""
    sizes = doubled_sizes("biggan", image_size)[:-1]
    if attention is None:
        return min(MAX_ATTENTION, image_size // 2)
    if attention and attention not in sizes:
        listed = ", ".join(map(str, sizes))
        raise UserError(
            f"model.attention={attention}: images of {image_size} px have no such map: use one of "
            f"{listed}, or 0 for no attention"
        )
    return attention


def _attend(size: int, attention: int, channels: int) -> nn.Module:
    return SelfAttention(channels) if size == attention else nn.Identity()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.orthogonal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class DoublingBlock(Block):
    """Residual block of the generator, which doubles the size."""

    def __init__(self, in_channels: int, out_channels: int, condition_dim: int) -> None:
        super().__init__()
        self.conv_1 = DoublingConv(in_channels, out_channels)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)
        self.norm_1 = ConditionalBatchNorm(in_channels, condition_dim, affine=False)
        self.norm_2 = ConditionalBatchNorm(out_channels, condition_dim, affine=False)

    def forward(
        self, maps: Float[Tensor, "n c h w"], condition: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n e 2*h 2*w"]:
        x = self.conv_1(self.norm_1(maps, condition).relu_())
        x = self.conv_2(self.norm_2(x, condition).relu_())
        return x + interpolate(self.shortcut(maps), scale_factor=2.0)  # equals doubling before it


class Generator(base.Generator):
    """Linear layer to 4x4, residual blocks that double the size, batch normalisation, tanh.

    The latent is split into equal chunks: the first enters the linear layer, and each other one
    the conditional batch normalisation of its block. The chunks are the styles of an image; the
    embedding of a label is concatenated with each.

    Parameters:
        latent_dim: divisible by the number of blocks + 1.
        width: channels next to the image.
        attention: size of the map that has self-attention, px; None for half of the image and at
            most 64 px, as published; 0 for none.
        spectral_norm: True divides each weight by its largest singular value.
    """

    standing_statistics = True

    def __init__(
        self,
        latent_dim: int = 120,
        width: int = 64,
        image_size: int = 64,
        attention: int | None = None,
        spectral_norm: bool = True,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(latent_dim, labels)
        base.check_width("generator", width)
        sizes = doubled_sizes("biggan", image_size)
        attention = _place_of_attention(attention, image_size)
        self.chunk_dim = _chunk_dim(latent_dim, len(sizes))
        channels = [_channels(width, size, image_size) for size in sizes]
        self.project = nn.Linear(self.chunk_dim, 4 * 4 * channels[0])
        condition_dim = self.chunk_dim + self.embedding_dim
        self.blocks = nn.ModuleList(
            DoublingBlock(channels[stage], channels[stage + 1], condition_dim)
            for stage in range(len(sizes) - 1)
        )
        self.attend = nn.ModuleList(map(_attend, sizes, [attention] * len(sizes), channels))
        self.normalise = nn.BatchNorm2d(width)
        self.to_rgb = SubpixelConv(width, 3, 3)
        self.apply(_initialise)
        if spectral_norm:
            normalise_spectrally(self)

    def styles(
        self,
        latents: Float[Tensor, "n latent_dim"],
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, "n chunks d"]:
        """Return the chunks of the latents: that of the linear layer, then one per block."""
        return self.with_embedding(latents.unflatten(1, (-1, self.chunk_dim)), labels)

    def synthesise(
        self,
        styles: Float[Tensor, "n chunks d"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return images in [-1, 1]."""
        first, *conditions = styles.unbind(1)
        x = self.project(first[:, : self.chunk_dim]).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        x = self.attend[0](x)
        for block, attend, condition in zip(self.blocks, self.attend[1:], conditions, strict=True):
            x = attend(block(x, condition))
        return torch.tanh(self.to_rgb(self.normalise(x).relu_()))

    def truncate(
        self,
        styles: Float[Tensor, "n chunks d"],
        truncation: float,
        labels: Float[Tensor, "n classes"] | None = None,
    ) -> Float[Tensor, "n chunks d"]:
        """Return latents from a normal distribution that ends at +-2, times `truncation`.

        A truncation of 1 leaves the latents as they are, without the cut.
        """
        if truncation == 1:
            return styles
        chunks, embedding = self.without_embedding(self.cut(styles))
        return torch.cat([truncation * chunks, embedding], dim=-1)

    def cut(self, styles: Float[Tensor, "n chunks d"]) -> Float[Tensor, "n chunks d"]:
        """Return latents from a normal distribution that ends at +-2.

        Section 3.1 of the paper draws values outside of [-2, 2] again. Here each standard normal
        value z becomes the value of the same rank, Phi^-1(Phi(-2) + (Phi(2) - Phi(-2)) Phi(z)):
        the distribution is the same, and so is the face of a seed but for its extremes. In terms
        of the error function that is sqrt(2) erf^-1(erf(sqrt(2)) erf(z / sqrt(2))).
        """
        chunks, embedding = self.without_embedding(styles)
        rank = math.erf(CUT / SQRT_2) * torch.erf(chunks / SQRT_2)
        return torch.cat([SQRT_2 * _inverse_erf(rank), embedding], dim=-1)


def _inverse_erf(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the inverse error function of values of at most 0.99, to a few units of float32.

    Polynomial of Giles 2012, "Approximating the erfinv function". `torch.erfinv` has no counterpart
    in ONNX.
    """
    w = -torch.log1p(-values.square()) - 2.5
    result = torch.full_like(w, ERFINV[0])
    for coefficient in ERFINV[1:]:
        result = result * w + coefficient
    return result * values


def _chunk_dim(latent_dim: int, chunks: int) -> int:
    if latent_dim % chunks:
        nearest = chunks * max(1, round(latent_dim / chunks))
        raise UserError(
            f"model.latent_dim={latent_dim} does not split into {chunks} equal chunks, one for the "
            f"first layer and one for each of {chunks - 1} blocks: use model.latent_dim={nearest}"
        )
    return latent_dim // chunks


class ResidualBlock(Block):
    """Residual block of the discriminator.

    Parameters:
        preactivate: False for the first block, whose input is the image.
        halve: average the result over blocks of 2x2 pixels.
    """

    def __init__(
        self, in_channels: int, out_channels: int, preactivate: bool = True, halve: bool = True
    ) -> None:
        super().__init__()
        self.preactivate = preactivate
        self.halve = halve
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        if halve:
            self.conv_2: nn.Module = HalvingConv(out_channels, out_channels)
        else:
            self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        is_plain = in_channels == out_channels and not halve
        self.shortcut = nn.Identity() if is_plain else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d _ _"]:
        x = maps.relu() if self.preactivate else maps
        x = self.conv_2(self.conv_1(x).relu_())
        return x + self.shortcut(avg_pool2d(maps, 2) if self.halve else maps)


class Discriminator(base.Discriminator):
    """Residual blocks down to 4x4, one more at 4x4, the sum over all positions, a linear layer.

    Parameters:
        width: channels of the first block; doubled by each block, up to 16 times as many.
        attention: size of the map that has self-attention, px, as for `Generator`.
        spectral_norm: True divides each weight by its largest singular value.
    """

    def __init__(
        self,
        width: int = 64,
        image_size: int = 64,
        attention: int | None = None,
        spectral_norm: bool = True,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        base.check_width("discriminator", width)
        sizes = doubled_sizes("biggan", image_size)[-2::-1]
        attention = _place_of_attention(attention, image_size)
        channels = [3, *(width * min(MAX_MULTIPLE, 2**stage) for stage in range(len(sizes) + 1))]
        layers: list[nn.Module] = []
        for stage, size in enumerate(sizes):
            layers += [
                ResidualBlock(channels[stage], channels[stage + 1], preactivate=stage > 0),
                _attend(size, attention, channels[stage + 1]),
            ]
        layers += [ResidualBlock(channels[-2], channels[-1], halve=False), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.to_logit = nn.Linear(channels[-1], 1)
        self.label_vectors = nn.Linear(len(labels), channels[-1], bias=False) if labels else None
        self.apply(_initialise)
        if spectral_norm:
            normalise_spectrally(self)

    def layers_from_image(self) -> list[list[nn.Module]]:
        """Return the residual blocks, each with the attention that follows it."""
        layers: list[list[nn.Module]] = []
        for layer in self.layers:
            if isinstance(layer, ResidualBlock):
                layers.append([layer])
            elif isinstance(layer, SelfAttention):
                layers[-1].append(layer)
        return layers

    def forward(
        self, images: Float[Tensor, "n 3 h w"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n"]:
        """Return raw logits; higher means more real."""
        features = self.layers(images).sum((2, 3))
        return self.add_label_logits(self.to_logit(features).squeeze(1), features, labels)
