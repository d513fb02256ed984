"""Trainings whose weights are not finite, or whose disk is full."""

import errno
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from anime_dcgan.game.loss import BCE
from anime_dcgan.run.checkpoint import read
from anime_dcgan.system.errors import UserError
from anime_dcgan.training import checkpoint_io
from anime_dcgan.training.callbacks import checkpointer
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.outputs import Incomplete
from tests.conftest import Train


class PoisonedBCE(BCE):
    """A loss that turns to NaN at the sixth generator step."""

    calls = 0

    def generator(
        self, fake_logits: torch.Tensor, real_logits: torch.Tensor | float = 0.0
    ) -> torch.Tensor:
        self.calls += 1
        return super().generator(fake_logits, real_logits) * (
            float("nan") if self.calls == 6 else 1.0
        )


def test_nan_ends_the_run_and_the_step_and_last_good_checkpoint_are_named(
    train: Train, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("anime_dcgan.game.loss.BCE", PoisonedBCE)
    with pytest.raises(UserError, match=r"at step 6 .*last good checkpoint is .*last\.ckpt"):
        train()
    last = tmp_path / "run/checkpoints/last.ckpt"
    assert read(last)["images_seen"] == 32
    assert all(torch.isfinite(tensor).all() for tensor in read(last)["state_dict"].values())


def test_weights_that_are_not_finite_are_never_saved(train: Train, tmp_path: Path, monkeypatch):
    step = GAN.generator_step

    def poison(self: GAN, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        metrics = step(self, *batch)
        with torch.no_grad():
            next(self.generator.parameters()).fill_(float("inf"))
        return {name: torch.zeros(()) for name in metrics}

    monkeypatch.setattr(GAN, "generator_step", poison)
    monkeypatch.setattr(GAN, "discriminator_step", lambda self, *batch: {"loss/a": torch.zeros(())})
    with pytest.raises(UserError, match="weights .* are NaN or infinite; nothing was saved"):
        train()
    assert not list((tmp_path / "run/checkpoints").iterdir())


def test_a_full_disk_keeps_the_checkpoints_and_is_reported_at_the_end(
    train: Train, tmp_path: Path, monkeypatch, capsys
):
    save = torch.save

    def save_until_full(contents: dict, file) -> None:
        if contents["images_seen"] > 32:
            file.write(b"half of a checkpoint")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(contents, file)

    monkeypatch.setattr(checkpoint_io.torch, "save", save_until_full)
    with pytest.raises(UserError, match="could not be saved .* No space left"):
        train()
    assert "training continues" in capsys.readouterr().err
    folder = tmp_path / "run/checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["epoch=0001.ckpt", "last.ckpt"]
    assert read(folder / "last.ckpt")["images_seen"] == 32


def test_a_full_disk_loses_sample_grids_but_not_the_training(
    train: Train, tmp_path: Path, monkeypatch, capsys
):
    def full(self, file: Path, *_, **__) -> None:
        file.write_bytes(b"half of a picture")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(Incomplete, match=r"4 files in .*run/samples \(No space left on device\)"):
        train()
    stderr = capsys.readouterr().err
    assert re.search(r"epoch=0001.png cannot be written .* training continues", stderr)
    assert stderr.count("epoch=") == 1
    assert (tmp_path / "run/checkpoints/last.ckpt").exists()
    assert not list((tmp_path / "run/samples").rglob("*.*"))


def test_a_last_checkpoint_that_cannot_be_written_is_reported(
    train: Train, tmp_path: Path, monkeypatch, capsys
):
    def full(*_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpointer.os, "link", full)
    train(run="copied")
    assert (tmp_path / "copied/checkpoints/last.ckpt").exists()
    monkeypatch.setattr(checkpointer.shutil, "copyfile", full)
    train()
    stderr = capsys.readouterr().err
    assert "last.ckpt cannot be written (No space left on device); earlier" in stderr
    assert read(tmp_path / "run/checkpoints/last.ckpt")["images_seen"] == 64


def test_too_little_disk_space_is_reported_before_the_training(train: Train, monkeypatch, capsys):
    train("max_kimg=0.008", run="cached")  # the cache of pictures needs space too
    usage = shutil._ntuple_diskusage(10**9, 10**9, 10**4)  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "anime_dcgan.training.callbacks.checkpointer.shutil.disk_usage", lambda path: usage
    )
    train("trainer.max_epochs=2", "max_kimg=0.064")
    assert "but only 0.0 GB are free: callbacks.checkpointer.keep=10" in capsys.readouterr().err
    train("max_kimg=0.008", run="short")
    assert "are free" not in capsys.readouterr().err
