"""Generator and discriminator of the student report of 2022, layer by layer.

Glorot-uniform kernels (Glorot & Bengio 2010), zero biases and "same" padding are the defaults of
Keras, which the report used. Images are NCHW in [-1, 1]; their size is any multiple of 4.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu_

from anime_dcgan.model import base
from anime_dcgan.model.layers import SubpixelConv, Upsample, normalise_spectrally
from anime_dcgan.model.recompute import Recomputable, Stack
from anime_dcgan.system.errors import UserError

LEAK = 0.2  # negative slope of every LeakyReLU


def _keras_initialisation(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _quarter(image_size: int) -> int:
    if image_size < 8 or image_size % 4:
        raise UserError(
            f"model=dcgan halves images twice, which data.image_size={image_size} does not allow: "
            "use a multiple of 4 that is at least 8, for example data.image_size=64"
        )
    return image_size // 4


class Generator(Recomputable, base.Generator):
    """Linear layer, two transposed convolutions that double the size, a 7x7 convolution, tanh.

    The transposed convolutions have `width` channels, the first map twice as many.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        width: int = 128,
        image_size: int = 64,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(latent_dim, labels)
        base.check_width("generator", width)
        self.first_map = (_quarter(image_size), _quarter(image_size), 2 * width)  # h, w, c
        height, w, channels = self.first_map
        self.project = nn.Linear(latent_dim + self.embedding_dim, height * w * channels)
        self.upsample_1 = Upsample(2 * width, width)
        self.upsample_2 = Upsample(width, width)
        self.to_rgb = SubpixelConv(width, 3, 7)
        self.apply(_keras_initialisation)

    def synthesise(
        self,
        styles: Float[Tensor, "n 1 d"],
        noise: Float[Tensor, "n noise_dim"] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return images in [-1, 1]."""
        x = leaky_relu_(self.project(styles.squeeze(1)), LEAK)
        x = x.unflatten(1, self.first_map).permute(0, 3, 1, 2)  # Keras' h, w, c: channels_last
        return self.keep_inputs(self._draw, x)

    def _draw(self, x: Float[Tensor, "n c _ _"]) -> Float[Tensor, "n 3 h w"]:
        x = leaky_relu_(self.upsample_1(x), LEAK)
        x = leaky_relu_(self.upsample_2(x), LEAK)
        return torch.tanh(self.to_rgb(x))


class KerasSameConv(nn.Conv2d):
    """3x3 convolution of stride 2, padded below and to the right as by Keras' "same"."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, stride=2)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h/2 w/2"]:
        return super().forward(nn.functional.pad(input, (0, 1, 0, 1)))


class Discriminator(base.Discriminator):
    """Three 3x3 convolutions, dropout and a linear layer.

    Parameters:
        dropout: probability of each of the report's two consecutive dropout layers.
        spectral_norm: True divides each weight by its largest singular value.
    """

    def __init__(
        self,
        width: int = 64,
        dropout: float = 0.4,
        image_size: int = 64,
        spectral_norm: bool = False,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        base.check_width("discriminator", width)
        features = _quarter(image_size) ** 2 * width
        self.layers = Stack(
            nn.Conv2d(3, width, 3, padding=1),
            nn.LeakyReLU(LEAK, inplace=True),
            KerasSameConv(width, width),
            nn.LeakyReLU(LEAK, inplace=True),
            KerasSameConv(width, width),
            nn.LeakyReLU(LEAK, inplace=True),
            nn.Flatten(),
            nn.Dropout(1 - (1 - dropout) ** 2),  # equals two independent masks in a row
            nn.Linear(features, 1),
        )
        self.label_vectors = nn.Linear(len(labels), features, bias=False) if labels else None
        self.apply(_keras_initialisation)
        if spectral_norm:
            normalise_spectrally(self)

    def layers_from_image(self) -> list[list[nn.Module]]:
        """Return the convolutions."""
        return [[layer] for layer in self.layers if isinstance(layer, nn.Conv2d)]

    def forward(
        self, images: Float[Tensor, "n 3 h w"], labels: Float[Tensor, "n classes"] | None = None
    ) -> Float[Tensor, " n"]:
        """Return raw logits; higher means more real."""
        features = self.layers[:-1](images)
        return self.add_label_logits(self.layers[-1](features).squeeze(1), features, labels)
