"""Optimizers that cannot take the steps of a GAN are refused in a line that names the setting."""

from pathlib import Path

import pytest

from anime_dcgan.system.errors import UserError
from tests.conftest import Train

UNFUSED = "optimizer.generator.fused=false"
OF_TORCH = "optimizer.generator._target_=torch.optim."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["+optimizer.generator.differentiable=true"], "use optimizer.generator.differentiable="),
        (
            ["+optimizer.generator.differentiable=true", UNFUSED],
            "cannot take a step: .*; use optimizer.generator.differentiable=false",
        ),
        (["+optimizer.generator.foreach=true"], "use optimizer.generator.foreach=false"),
        (
            ["+optimizer.generator.capturable=true", UNFUSED],
            "use optimizer.generator.capturable=false",
        ),
        (["+optimizer.discriminator.maximize=true"], "optimizer.discriminator.maximize=false"),
        (["optimizer=rmsprop", OF_TORCH + "LBFGS"], "'closure'; use optimizer=adam"),
        (["optimizer=rmsprop", OF_TORCH + "SparseAdam"], "dense gradients.*; use optimizer=adam"),
        (["optimizer=rmsprop", OF_TORCH + "Muon"], "cannot be built: Muon only supports 2D"),
    ],
)
def test_optimizers_that_cannot_step_are_refused(
    train: Train, tmp_path: Path, settings: list[str], message: str
):
    with pytest.raises(UserError, match=message):
        train(*settings)
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        ["+optimizer.generator.foreach=true", UNFUSED],
        ["optimizer=sgd", "optimizer.momentum=0"],
        ["optimizer=rmsprop", OF_TORCH + "Adafactor"],
    ],
)
def test_others_train_and_resume(train: Train, tmp_path: Path, settings: list[str]):
    quiet = (*settings, "metric=none", "callbacks.samples=null")
    train(*quiet, "trainer.max_epochs=1")
    last = tmp_path / "run/checkpoints/last.ckpt"
    assert train(*quiet, "trainer.max_epochs=2", ckpt_path=last).images_seen == 64
