"""Two processes train one pair of networks."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from anime_dcgan.model import radford
from anime_dcgan.model.freezing import freeze_layers
from anime_dcgan.run.checkpoint import read
from anime_dcgan.training.strategy import PlayerStrategy
from tests.conftest import SMALL, Train, narrow
from tests.processes import TINY, run

DUMP = "+callbacks.dump={_target_:tests.training.whole_latents.WholeLatents,folder:%s}"
SGD = (
    *("optimizer=sgd", "optimizer.lr=0.5", "gan.clip_gradient_norm=0.5"),
    "gan.ema_halflife_kimg=0.1",
)
SETTINGS = (
    *("model.discriminator.dropout=0", "gan.critic_steps=2", "callbacks=none", "logger=none"),
    *("trainer.accelerator=cpu", "trainer.max_epochs=2"),
)

TWO = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.max_epochs=2")


def test_two_processes_have_the_weights_of_one_with_the_whole_batch(tmp_path: Path):
    tiny = (each for each in TINY if not each.startswith("callbacks."))
    common = (*tiny, *SGD, *SETTINGS, DUMP % tmp_path)
    run("train", *common, "run=one", "data.batch_size=16", cwd=tmp_path)
    run("train", *common, "run=two", "data.batch_size=8", "trainer.devices=2", cwd=tmp_path)
    one, *two = (torch.load(tmp_path / f"{name}.pt") for name in ("0-of-1", "0-of-2", "1-of-2"))
    assert all(torch.equal(two[0][name], two[1][name]) for name in one)
    torch.testing.assert_close(two[0], one, rtol=1e-4, atol=1e-6)


SHORT = ("callbacks=none", "trainer.max_epochs=2")  # four steps
WITHOUT_CHANCE = {
    "stylegan2": (
        *("generator_regularizer=none", "model.generator.mixing=0"),
        "model.generator.noise=false",
    ),
    "r3gan": ("augment=none", "ramps.augment_probability=null", "ramps.second_beta=null"),
}
"""Settings under which only the latents are random."""


def train_in_two_processes(model: str, *overrides: str, cwd: Path) -> list[dict[str, Any]]:
    """Train by the model's recipe, and return the final state of each process."""
    settings = (f"experiment={model}", *narrow(model), *SMALL, *SHORT, *overrides)
    run("train", *settings, DUMP % cwd, "trainer.devices=2", "run=two", cwd=cwd)
    return [torch.load(cwd / f"{rank}-of-2.pt") for rank in range(2)]


@pytest.mark.slow
def test_both_processes_of_a_recipe_have_the_same_weights(tmp_path: Path):
    first, second = train_in_two_processes("biggan", cwd=tmp_path)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
@pytest.mark.parametrize("model", WITHOUT_CHANCE)
def test_two_processes_of_a_recipe_have_the_weights_of_one_with_the_whole_batch(
    model: str, tmp_path: Path, train: Train
):
    """BigGAN cannot: each process normalises by the statistics of its own images."""
    settings = (*WITHOUT_CHANCE[model], *SGD)
    two, second = train_in_two_processes(model, *settings, cwd=tmp_path)
    assert all(torch.equal(two[name], second[name]) for name in two)
    recipe = (f"experiment={model}", *narrow(model), *SHORT, *settings)
    train(*recipe, "data.batch_size=16", DUMP % tmp_path, model=model)
    one = torch.load(tmp_path / "0-of-1.pt")
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path):
    """Train data-parallel over gloo: each process has its own batches of the same epoch."""
    result = run(
        "train",
        *(*TINY, "run=two", "trainer.accelerator=cpu", "trainer.devices=2"),
        *("trainer.max_epochs=2", "loss=wgan_gp", "gan.critic_steps=2"),
        cwd=tmp_path,
    )
    assert result.stdout.count("Generate:") == 1
    contents = read(tmp_path / "outputs/two/checkpoints/last.ckpt")
    assert contents["images_seen"] == 2 * 2 * 16  # 38 faces are 2 batches of 16 over both


@pytest.mark.slow
def test_two_processes_fail_together_if_nothing_can_be_saved(tmp_path: Path):
    (tmp_path / "outputs/two").mkdir(parents=True)
    (tmp_path / "outputs/two/checkpoints").symlink_to("/proc")  # where nobody can write
    result = run(
        "train",
        *(*TINY, "run=two", "trainer.accelerator=cpu", "trainer.devices=2"),
        *("trainer.max_epochs=1", "callbacks.samples=null", "metric=none"),
        cwd=tmp_path,
        status=2,
    )
    message = "error: (process 1: )?the end of this run could not be saved"  # of the first to fail
    assert len(re.findall(message, result.stderr)) == 1
    assert "Traceback" not in result.stderr


def test_an_error_in_one_process_is_reported_once_and_ends_both(tmp_path: Path):
    fail = "+callbacks.fail._target_=tests.training.failing_process.FailingProcess"
    result = run("train", *TINY, *TWO, fail, "run=two", cwd=tmp_path, status=2)
    errors = [line for line in result.stderr.splitlines() if "rror" in line]
    assert errors == ["error: process 1: its disk is full"]
    failure = json.loads((tmp_path / "outputs/two/failure.json").read_text())
    assert "process 1: its disk is full" in failure.values()


def test_statistics_that_do_not_change_are_not_averaged(monkeypatch: pytest.MonkeyPatch):
    """The mean of equal numbers over three processes is not always that number."""
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda flat: flat.add_(1))
    discriminator = radford.Discriminator(width=3, image_size=32)
    freeze_layers(discriminator, 2)
    discriminator(torch.rand(2, 3, 32, 32)).sum().backward()
    before = {name: tensor.clone() for name, tensor in discriminator.named_buffers()}
    PlayerStrategy().average(discriminator)
    changed = {
        name for name, tensor in discriminator.named_buffers() if (tensor != before[name]).any()
    }
    assert changed == {"layers.6.running_mean", "layers.6.running_var"}
