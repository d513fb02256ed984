"""Two processes train one pair of networks."""

import json
import re
from pathlib import Path

import pytest
import torch

from anime_dcgan.model import radford
from anime_dcgan.model.freezing import freeze_layers
from anime_dcgan.run.checkpoint import read
from anime_dcgan.training.strategy import PlayerStrategy
from tests.processes import TINY, run

SETTINGS = (
    *("optimizer=sgd", "optimizer.lr=0.5", "model.discriminator.dropout=0", "gan.critic_steps=2"),
    *("gan.clip_gradient_norm=0.5", "gan.ema_halflife_kimg=0.1", "callbacks=none", "logger=none"),
    *("trainer.accelerator=cpu", "trainer.max_epochs=2"),
)

TWO = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.max_epochs=2")


def test_two_processes_have_the_weights_of_one_with_the_whole_batch(tmp_path: Path):
    dump = "+callbacks.dump={_target_:tests.training.whole_latents.WholeLatents,folder:%s}"
    tiny = (each for each in TINY if not each.startswith("callbacks."))
    common = (*tiny, *SETTINGS, dump % tmp_path)
    run("train", *common, "run=one", "data.batch_size=16", cwd=tmp_path)
    run("train", *common, "run=two", "data.batch_size=8", "trainer.devices=2", cwd=tmp_path)
    one, *two = (torch.load(tmp_path / f"{name}.pt") for name in ("0-of-1", "0-of-2", "1-of-2"))
    assert all(torch.equal(two[0][name], two[1][name]) for name in one)
    torch.testing.assert_close(two[0], one, rtol=1e-4, atol=1e-6)


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
