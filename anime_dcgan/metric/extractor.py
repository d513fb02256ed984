"""Trained networks that turn images into features."""

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from anime_dcgan.model import pretrained
from anime_dcgan.model.pretrained import Hints, find_weights, read_weights
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.errors import UserError, needs_extra

MIN_RESIZE = 32  # px; the networks reduce images by this factor
MAX_PIXELS_SIDE = 32  # px; 3,072 features

ALTERNATIVES = (
    "use metric=fd_efficientnet, which needs no download "
    '(pip install -e ".[efficientnet]"), or metric=swd, which needs no weights'
)
"""Metrics for machines that cannot download weights."""
HINTS = Hints("metric.extractor.weights", ALTERNATIVES)


class Extractor(nn.Module):
    """A frozen network that maps images to features."""

    def settings(self) -> dict[str, str | int | float]:
        """Return all settings that the features depend on, as plain values."""
        raise NotImplementedError

    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        raise NotImplementedError


class Pixels(Extractor):
    """The RGB values of an image of `size` px, in [0, 1]: its colours and coarse layout.

    No network takes part, so that a generator that was trained with features of one is measured by
    what these features may overlook. Images are reduced by an antialiased bilinear filter.

    Parameters:
        size: side of the reduced images, in px; an image has 3 size^2 features.
    """

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        if not 4 <= size <= MAX_PIXELS_SIDE:
            raise UserError(
                f"metric.extractor.size={size} must lie between 4 and {MAX_PIXELS_SIDE}: "
                "use metric.extractor.size=16"
            )
        self.size = size

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "Pixels", "size": self.size}

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        scaled = to_float(images).add(1).div(2)  # to [0, 1]
        reduced = functional.interpolate(scaled, size=self.size, mode="bilinear", antialias=True)
        return reduced.flatten(1)


class MobileNetV2(Extractor):
    """The 1,280 pooled features of torchvision's MobileNetV2, trained on ImageNet (V1).

    Images are resized to `resize` px, bilinear, and normalised as in the network's training.

    Parameters:
        weights: path of the weights; null uses torch's cache, and downloads them if necessary.
        resize: side of the images that the network receives, in px.
    """

    SHA256 = pretrained.MOBILENET_V2_SHA256

    def __init__(self, weights: str | None = None, resize: int = 96) -> None:
        super().__init__()
        _check_resize(resize, example=96)
        layers = pretrained.mobilenet_v2(weights, HINTS, self.SHA256)
        self.layers = layers.to(memory_format=torch.channels_last)
        self.resize = resize

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "MobileNetV2", "weights": self.SHA256[:8], "resize": self.resize}

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        scaled = to_float(images).add(1).div(2)  # to [0, 1]
        mean = scaled.new_tensor(pretrained.IMAGENET_MEAN).view(1, 3, 1, 1)
        std = scaled.new_tensor(pretrained.IMAGENET_STD).view(1, 3, 1, 1)
        resized = functional.interpolate(
            (scaled - mean) / std, size=self.resize, mode="bilinear", antialias=True
        )
        return self.layers(resized).mean(dim=(2, 3))


class EfficientNetLite0(Extractor):
    """The 1,280 pooled features of EfficientNet-Lite0, trained on ImageNet.

    Network and weights come with two packages, so that nothing is downloaded. Images are resized
    to `resize` px, bicubic, and normalised as in the network's training.

    Parameters:
        resize: side of the images that the network receives, in px.
    """

    SHA256 = pretrained.EFFICIENTNET_LITE0_SHA256
    network: Any

    def __init__(self, resize: int = 128) -> None:
        super().__init__()
        _check_resize(resize, example=128)
        try:
            network = pretrained.efficientnet_lite0(resize, self.SHA256)
        except ImportError:
            raise needs_extra("metric=fd_efficientnet", "efficientnet", "use metric=swd") from None
        self.network = network.to(memory_format=torch.channels_last)
        self.resize = resize

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "EfficientNetLite0", "weights": self.SHA256[:8], "resize": self.resize}

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        pixels = to_float(images).add(1).mul(127.5)  # to [0, 255]
        resized = functional.interpolate(
            (pixels - pretrained.EFFICIENTNET_LITE0_MEAN) / pretrained.EFFICIENTNET_LITE0_STD,
            size=self.resize,
            mode="bicubic",
            antialias=True,
        )
        return self.network.extract_features(resized).mean(dim=(2, 3))


class Inception(Extractor):
    """The 2,048 pooled features of the 2015 Inception network that FID and KID are defined on.

    The network, its weights and its resizing (TensorFlow 1's bilinear, to 299 px) are those of the
    library torch-fidelity, whose values agree with the original implementation's.

    Parameters:
        weights: path of the weights; null uses torch's cache, and downloads them if necessary.
    """

    SHA256 = "6726825d"  # the prefix that its publisher gives

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        try:
            from torch_fidelity import feature_extractor_inceptionv3 as library
        except ImportError:
            raise needs_extra("metric=fid", "fid", "use metric=swd") from None
        path = find_weights(weights, library.URL_INCEPTION_V3, self.SHA256, HINTS)
        read_weights(path)  # refuses pickled code, which the library would run
        self.network = library.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
        )

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "Inception", "weights": self.SHA256[:8], "resize": 299}

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        (features,) = self.network(images.permute(0, 3, 1, 2).contiguous())
        return features


def _check_resize(resize: int, example: int) -> None:
    if resize < MIN_RESIZE:
        raise UserError(
            f"metric.extractor.resize={resize} must be at least {MIN_RESIZE}: "
            f"use metric.extractor.resize={example}"
        )
