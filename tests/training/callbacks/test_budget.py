"""Budgets: trainings that end after minutes or images, before and after a resume."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import DictConfig

from anime_dcgan.run.checkpoint import read
from anime_dcgan.training.callbacks import clock
from anime_dcgan.training.callbacks.prune import STEPS, Prune
from anime_dcgan.training.fit import Unfinished, fit
from tests.conftest import Train

BATCHES = ("metric=none", "trainer.max_epochs=-1")


@pytest.fixture
def ticks(monkeypatch) -> None:
    """Let 6 seconds pass whenever the clock of the training is read."""
    seconds = count(0, 6)
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: next(seconds)))


def images(run: Path) -> int:
    return json.loads((run / "finished.json").read_text())["images"]


@pytest.mark.usefixtures("ticks")
def test_minutes_end_a_training_and_count_before_and_after_a_resume(
    train: Train, tmp_path: Path, capsys
):
    train(*BATCHES, "max_minutes=3", run="whole")
    finished = json.loads((tmp_path / "whole/finished.json").read_text())
    assert finished["max_minutes"] == 3 and finished["minutes"] >= 3
    whole = images(tmp_path / "whole")
    assert 8 < whole < 8 * 30  # the clock is read several times a step
    last = tmp_path / "run/checkpoints/last.ckpt"
    train(*BATCHES, "max_minutes=1")
    before, hours = images(tmp_path / "run"), _hours(last)
    assert 1 / 60 <= hours < 2 / 60 and before < whole
    train(*BATCHES, "max_minutes=3", ckpt_path=last)
    assert before < images(tmp_path / "run") <= whole
    assert 3 / 60 <= _hours(last) < 4 / 60
    capsys.readouterr()
    train(*BATCHES, "max_minutes=2", ckpt_path=last)
    assert _hours(last) < 4 / 60  # no step is taken beyond the budget


def _hours(path: Path) -> float:
    (state,) = (
        each for each in read(path)["callbacks"].values() if isinstance(each.get("hours"), float)
    )
    return state["hours"]


@pytest.mark.usefixtures("ticks")
def test_the_first_of_two_budgets_ends_a_training(train: Train, tmp_path: Path):
    train(*BATCHES, "max_minutes=60", "max_kimg=0.016")
    assert images(tmp_path / "run") == 16
    with pytest.raises(Unfinished, match="stopped at 0 of 16 images"):
        train(*BATCHES, "max_minutes=60", "max_kimg=0.016", "+trainer.max_time=00:00:00:00")


@pytest.mark.parametrize("labels", ["null", "nose"])
def test_intervals_in_images_are_the_same_with_labels(train: Train, tmp_path: Path, labels: str):
    train("callbacks.samples.every_kimg=0.012", f"data.labels={labels}", "max_kimg=0.064")
    sheets = sorted((tmp_path / "run/samples/ema").glob("*.png"))
    assert len(sheets) == 6, sheets  # after 16, 24, 40, 48, 64 images, and at the end of an epoch


@pytest.mark.usefixtures("ticks")
def test_trials_with_a_budget_in_minutes_are_compared_at_equal_times(
    small: Callable[..., DictConfig], tmp_path: Path
):
    reports: list[tuple[int, float]] = []
    prune = Prune(lambda step, distance: bool(reports.append((step, distance))))
    often = ("callbacks.quality.every_kimg=0.04", "callbacks.quality.count=12", "equilibrium=null")
    fit(small(*often, *BATCHES[1:], "max_minutes=4"), tmp_path / "run", callbacks=[prune])
    rows = json.loads((tmp_path / "run/quality.json").read_text())["rows"]
    measured = {int(STEPS * row["hours"] * 15): row["values"]["swd/mean"] for row in rows}
    steps = [step for step, _ in reports]
    assert len(rows) >= 3 and steps == list(range(min(measured), max(measured) + 1))
    for step, distance in reports:  # the latest one
        assert distance == measured[max(each for each in measured if each <= step)]
