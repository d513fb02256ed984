"""Checkpoints of every batch, of resumed runs too: a kill at any moment changes nothing."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from anime_dcgan.run.checkpoint import read
from anime_dcgan.training import resume
from anime_dcgan.training.fit import fit
from tests.conftest import Train

VARYING = {"config", "hours", "seconds", "speed/images_per_second"}  # paths and times
OFTEN = (
    *("trainer.max_epochs=3", "trainer.limit_train_batches=3", "gan.critic_steps=2"),
    *("callbacks.scalars.every_kimg=0.024", "callbacks.checkpointer.last_minutes=0"),
    *("callbacks.quality.every_kimg=0.04", "callbacks.quality.count=12", "equilibrium.steps=1"),
)


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: comparable(each) for key, each in value.items() if key not in VARYING}
    if isinstance(value, list | tuple):
        return [comparable(each) for each in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value


def state_of(run: Path) -> dict[str, Any]:
    return comparable(read(run / "checkpoints/last.ckpt"))


@pytest.fixture
def moments(tmp_path: Path, monkeypatch) -> Iterator[list[Path]]:
    """Copies of the run's folder after each change of a file, as a kill there leaves it."""
    copies: list[Path] = []
    numbers = itertools.count()
    replace = Path.replace

    def replace_and_copy(self: Path, target: Path) -> Path:
        result = replace(self, target)
        run = tmp_path / "run"
        if run in target.parents and (run / "checkpoints/last.ckpt").exists():
            copies.append(tmp_path / f"moment-{next(numbers)}")
            shutil.copytree(run, copies[-1])
        return result

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_and_copy)
        yield copies


def states_of(moments: list[Path]) -> list[dict[str, Any]]:
    """Return the different states of these moments; most of them have the last one's checkpoint."""
    contents = {(run / "checkpoints/last.ckpt").read_bytes(): run for run in moments}
    return [state_of(run) for run in contents.values()]


def test_a_run_that_is_killed_at_any_moment_resumes_to_the_same_states_and_files(
    small: Callable[..., DictConfig], tmp_path: Path, moments: list[Path]
):
    """Every later checkpoint is the same, too: it does not matter how often a run was resumed."""
    config, run = small(*OFTEN), tmp_path / "run"
    fit(config, run)
    shutil.copytree(run, tmp_path / "whole")
    kills, states = list(moments), states_of(moments)
    assert {state["images_seen"] for state in states} == {8 * batch for batch in range(1, 10)}
    for kill in kills:
        shutil.rmtree(run)
        shutil.copytree(kill, run)
        moments.clear()
        fit(config, run, run / "checkpoints/last.ckpt")
        assert all(state in states for state in states_of(moments)), kill
        _assert_same_files(tmp_path / "whole", run)


def test_an_epoch_of_more_batches_resumes_at_the_same_fraction(
    train: Train, tmp_path: Path, monkeypatch
):
    """The number of batches changes with `trainer.devices`."""
    for check in ("check_resumable", "check_same_faces"):
        monkeypatch.setattr(resume, check, lambda *_: None)
    train("callbacks.checkpointer.every_kimg=0.016", "max_kimg=0.048")
    half = tmp_path / "run/checkpoints/epoch=0000.500.ckpt"
    train("data.count=80", "max_kimg=0.024", ckpt_path=half)  # 8 batches per epoch
    assert read(tmp_path / "run/checkpoints/last.ckpt")["epochs_done"] == 5 / 8


def _assert_same_files(one: Path, other: Path) -> None:
    names = [{path.relative_to(run) for path in run.rglob("*")} for run in (one, other)]
    assert names[0] == names[1]
    assert state_of(one) == state_of(other)
    for name, key in (("quality.json", "rows"), ("equilibrium.json", "history")):
        rows = [json.loads((run / name).read_text())[key] for run in (one, other)]
        assert comparable(rows[0]) == comparable(rows[1])
