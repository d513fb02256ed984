"""Tests of scalars.jsonl: complete with any logger, and the same after a kill and resume."""

import json
from pathlib import Path
from typing import Any

import pytest

from anime_dcgan.run.scalars import read_scalars
from anime_dcgan.training.callbacks import scalars as module
from anime_dcgan.training.callbacks.scalars import Scalars, log_scalars
from anime_dcgan.training.fit import Incomplete
from anime_dcgan.training.trainer import Trainer
from tests.conftest import Train

SCALARS = ("callbacks.scalars.every_kimg=0.016", "metric=none")
SPEED = "speed/images_per_second"


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("logger", ["none", "csv", "tensorboard"])
def test_the_file_does_not_depend_on_the_logger(train: Train, tmp_path: Path, logger: str):
    train(*SCALARS, f"logger={logger}")
    found = lines(tmp_path / "run")
    assert [line["images"] for line in found] == [16, 32, 48, 64]
    assert [line["epoch"] for line in found] == [0, 0, 1, 1]
    assert found[0].keys() == {
        *("images", "epoch", "loss/discriminator", "loss/generator", "loss/penalty"),
        *("logit/real", "logit/fake", "accuracy/real", "accuracy/fake"),
        *("learning_rate/generator", "learning_rate/discriminator", SPEED),
    }


def test_quality_and_equilibrium_are_in_the_file_too(train: Train, tmp_path: Path):
    train("callbacks.quality.every_kimg=0.016", "callbacks.quality.count=12", "max_kimg=0.032")
    curves = read_scalars(tmp_path / "run", [])
    quality = json.loads((tmp_path / "run/quality.json").read_text())
    assert curves["quality/swd/mean"] == [
        (row["images"], row["values"]["swd/mean"]) for row in quality["rows"]
    ]
    assert curves["quality_floor/swd/mean"][0] == (16, quality["floor"]["swd/mean"])
    assert [images for images, _ in curves["equilibrium/gap"]] == [16, 32]


def test_a_killed_and_resumed_run_has_the_curves_of_an_uninterrupted_one(
    train: Train, tmp_path: Path
):
    train(*SCALARS, "trainer.max_epochs=3", run="uninterrupted")
    train(*SCALARS, "trainer.max_epochs=2", run="killed")
    path = tmp_path / "killed/scalars.jsonl"
    with path.open("a") as file:  # beyond the checkpoint to resume from, the last line torn
        file.write('{"images": 72, "loss/generator": 9.0}\n{"images": 80, "loss/gen')
    first = tmp_path / "killed/checkpoints/epoch=0001.ckpt"
    train(*SCALARS, "trainer.max_epochs=3", run="killed", ckpt_path=first)
    uninterrupted, resumed = (lines(tmp_path / run) for run in ("uninterrupted", "killed"))
    for line in (*uninterrupted, *resumed):
        del line[SPEED]
    assert resumed == uninterrupted


def test_a_new_run_in_the_same_folder_starts_a_new_file(train: Train, tmp_path: Path):
    train(*SCALARS, "max_kimg=0.064")
    train(*SCALARS, "max_kimg=0.032")
    assert [line["images"] for line in lines(tmp_path / "run")] == [16, 32]


def test_a_full_disk_is_reported_once_and_training_continues(
    train: Train, tmp_path: Path, monkeypatch, capsys
):
    append, calls = module.append_scalars, []

    def full_at_first(path: Path, images: int, scalars: Any) -> None:
        calls.append(images)
        if images <= 32:
            raise OSError("no space left")
        append(path, images, scalars)

    monkeypatch.setattr(module, "append_scalars", full_at_first)
    with pytest.raises(Incomplete, match="scalars.jsonl .no space left"):
        train(*SCALARS)
    assert calls == [16, 32, 48, 64]
    assert [line["images"] for line in lines(tmp_path / "run")] == [48, 64]
    message = "scalars.jsonl cannot be written (no space left)"
    assert capsys.readouterr().err.count(message) == 1


def test_scalars_that_cannot_be_removed_do_not_end_the_training(
    train: Train, tmp_path: Path, monkeypatch, capsys
):
    def full(path: Path, images: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module, "remove_scalars_beyond", full)
    with pytest.raises(Incomplete, match="scalars.jsonl .no space left"):
        train(*SCALARS)
    assert [line["images"] for line in lines(tmp_path / "run")] == [16, 32, 48, 64]
    assert "scalars.jsonl cannot be written (no space left)" in capsys.readouterr().err


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_process_writes(tmp_path: Path, rank: int, monkeypatch):
    callback = Scalars(str(tmp_path / "scalars.jsonl"))
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=[callback])
    monkeypatch.setattr(type(trainer.strategy), "is_global_zero", rank == 0)
    log_scalars(trainer, {"loss/generator": 1.0}, 8)
    assert (tmp_path / "scalars.jsonl").exists() == (rank == 0)
