"""DCGAN as published: Radford, Metz & Chintala 2016, arXiv 1511.06434.

Strided (transposed) 4x4 convolutions and batch normalisation throughout, weights from
N(0, 0.02). Images are NCHW in [-1, 1]; the number of doublings follows the image size.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.model import base
from anime_dcgan.model.layers import ConditionalBatchNorm, MinibatchStd, normalise_spectrally
from anime_dcgan.model.recompute import Stack
from anime_dcgan.model.sizes import doubled_sizes
from anime_dcgan.system.errors import UserError


def _radford_initialisation(module: nn.Module) -> None:
    """Initialise as in section 4 of the paper: zero-centred normal, standard deviation 0.02."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _channels(width: int, image_size: int) -> list[int]:
    """Return the channels of the maps from image_size/2 px to 4 px: width, 2 width, 4 width..."""
    doublings = len(doubled_sizes("radford", image_size)) - 1
    return [width * 2**stage for stage in range(doublings)]


class Generator(base.Generator):
    """Projection to 4x4, then transposed convolutions up to the image size; ReLU, final tanh.

    A label changes the gain and the bias of each batch normalisation (`ConditionalBatchNorm`). If
    it entered at the first layer only, its part of the maps would grow until the normalisations
    that follow leave little of the latent's part, and the faces of a class would look alike.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        width: int = 64,
        image_size: int = 64,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(latent_dim, labels)
        base.check_width("generator", width)
        channels = _channels(width, image_size)[::-1]
        self.project = nn.Linear(latent_dim, 4 * 4 * channels[0], bias=False)
        self.normalise = self._batch_norm(channels[0])
        stages: list[nn.Module] = []
        for before, after in pairwise(channels):
            stages += [
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
                self._batch_norm(after),
                nn.ReLU(inplace=True),
            ]
        self.stages = Stack(*stages)
        self.to_rgb = nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=1, bias=False)
        self.apply(_radford_initialisation)

    def synthesise(
        self,
        styles: Float[Tensor, "n 1 d"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return images in [-1, 1]."""
        latents, embedding = self.without_embedding(styles)
        conditions = (embedding.squeeze(1),) if self.labels else ()
        maps = self.project(latents.squeeze(1)).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        x = torch.relu(self.normalise(maps, *conditions))
        return torch.tanh(self.to_rgb(self.stages(x, *conditions)))

    def _batch_norm(self, channels: int) -> nn.BatchNorm2d:
        if self.labels:
            return ConditionalBatchNorm(channels, self.embedding_dim)
        return nn.BatchNorm2d(channels)


class Discriminator(base.Discriminator):
    """Strided convolutions down to 4x4, then a 4x4 convolution to the logit; LeakyReLU 0.2.

    Parameters:
        batch_norm: False omits batch normalisation, as gradient penalties require.
        spectral_norm: True divides each weight by its largest singular value.
        minibatch_std: group size of a minibatch standard deviation at 4x4, followed by an
            additional 3x3 convolution, as in Karras et al. 2018, arXiv 1710.10196, table 2; 0
            omits both. As in StyleGAN, the gradient of an image's logit then depends on the other
            images of its group.
    """

    def __init__(
        self,
        width: int = 64,
        batch_norm: bool = True,
        image_size: int = 64,
        spectral_norm: bool = False,
        minibatch_std: int = 0,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        base.check_width("discriminator", width)
        if minibatch_std < 0:
            raise UserError(
                f"model.discriminator.minibatch_std={minibatch_std} is negative: "
                "use model.discriminator.minibatch_std=4, or 0 to omit it"
            )
        channels = _channels(width, image_size)
        layers: list[nn.Module] = [
            nn.Conv2d(3, width, 4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for before, after in pairwise(channels):
            layers += [
                nn.Conv2d(before, after, 4, stride=2, padding=1, bias=not batch_norm),
                nn.BatchNorm2d(after) if batch_norm else nn.Identity(),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        if minibatch_std:
            layers += [
                MinibatchStd(minibatch_std),
                nn.Conv2d(channels[-1] + 1, channels[-1], 3, padding=1),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.layers = Stack(*layers)
        self.to_logit = nn.Conv2d(channels[-1], 1, 4, bias=False)
        features = 4 * 4 * channels[-1]
        self.label_vectors = nn.Linear(len(labels), features, bias=False) if labels else None
        self.apply(_radford_initialisation)
        if spectral_norm:
            normalise_spectrally(self)

    def layers_from_image(self) -> list[list[nn.Module]]:
        """Return the convolutions, each with its batch normalisation."""
        layers: list[list[nn.Module]] = []
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                layers.append([layer])
            elif isinstance(layer, nn.BatchNorm2d):
                layers[-1].append(layer)
            elif isinstance(layer, MinibatchStd):
                break
        return layers

    def forward(
        self, images: Float[Tensor, "n 3 h w"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n"]:
        """Return raw logits; higher means more real."""
        maps = self.layers(images)
        return self.add_label_logits(self.to_logit(maps).flatten(), maps.flatten(1), labels)
