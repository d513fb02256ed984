"""Trained networks that turn images into features, and where their weights come from."""

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
from anime_dcgan.system.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
HASHED_BYTES = 2**20


class Extractor(nn.Module):
    """Images in, features out; never trained."""

    def settings(self) -> dict[str, str | int | float]:
        """Everything that the features depend on, as plain values."""
        raise NotImplementedError

    def forward(self, images: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n d"]:
        raise NotImplementedError


class MobileNetV2(Extractor):
    """The 1,280 pooled features of torchvision's MobileNetV2, trained on ImageNet (V1).

    Images are resized to `resize` px, bilinear, and normalised as in the network's training.

    Parameters:
        weights: path of the file of weights; null looks into torchvision's cache, then downloads.
        resize: side of what the network sees, px.
    """

    SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"

    def __init__(self, weights: str | None = None, resize: int = 96) -> None:
        super().__init__()
        if resize < 32:
            raise UserError(f"metric.extractor.resize={resize} is too small: use 32 or more")
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
        shares = to_float(images).add(1).div(2)
        mean = shares.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        deviation = shares.new_tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1)
        resized = functional.interpolate(
            (shares - mean) / deviation, size=self.resize, mode="bilinear", antialias=True
        )
        return self.layers(resized).mean(dim=(2, 3))


class Inception(Extractor):
    """The 2,048 pooled features of the Inception of 2015, which FID and KID are defined on.

    The network, its weights and the way it resizes (TensorFlow 1's bilinear, to 299 px) are those
    of the library torch-fidelity, whose numbers agree with the original implementation's.

    Parameters:
        weights: path of the file of weights; null looks into torch's cache, then downloads.
    """

    SHA256 = "6726825d"  # as many digits as its publisher gives

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        try:
            from torch_fidelity import feature_extractor_inceptionv3 as library
        except ImportError:
            raise UserError(
                'metric=fid needs a package more: pip install "anime_dcgan[fid]"; '
                "metric=swd needs none"
            ) from None
        path = find_weights(weights, library.URL_INCEPTION_V3, self.SHA256)
        _read(path)  # refuses what is more than tensors: the library would run it
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
    """The weights, checked; see `find_weights`."""
    return _read(find_weights(given, url, sha256))


def find_weights(given: str | None, url: str, sha256: str) -> Path:
    """The file `given`, or that of `url` in torch's cache, downloaded if it is not there.

    Its SHA-256 must begin with `sha256`. Raises `UserError` where there is no such file.
    """
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise UserError(f"metric.extractor.weights={given} is no file; metric=swd needs none")
        if not _sha256(path).startswith(sha256):
            raise UserError(
                f"metric.extractor.weights={given} is another file than the one of {url}: its "
                f"SHA-256 does not begin with {sha256[:8]}"
            )
        return path
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file() and _sha256(path).startswith(sha256):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"the weights of {url} cannot be downloaded ({error}): give a file with "
            "metric.extractor.weights=..., or use metric=swd, which needs none"
        ) from None
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASHED_BYTES):
            digest.update(block)
    return digest.hexdigest()
