"""Files that cannot be written: the training ends with its weights, and lists what is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from anime_dcgan.training.fit import Incomplete
from anime_dcgan.training.outputs import Outputs
from tests.conftest import Train, assert_same_weights
from tests.processes import TINY, Result

Call = Callable[..., Result]
ONE_EPOCH = (*TINY, "trainer.max_epochs=1", "logger=none", "run=a")
MEASURED = ("callbacks.quality.every_kimg=0.016", "callbacks.quality.count=12")
SMALL_GAP = ("equilibrium.steps=1", "equilibrium.count=2")


def fail() -> None:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_is_replaced_has_no_gap_after_a_success_and_one_that_grows_has(
    tmp_path: Path, capsys
):
    outputs = Outputs()
    for write in (fail, fail, lambda: None):
        outputs.rewrite(tmp_path / "replaced", write)
        outputs.attempt(tmp_path / "grown", write)
        outputs.rewrite(tmp_path / f"grids/{id(write)}", write, series=tmp_path / "grids")
    assert outputs.missing == [
        f"{tmp_path}/grown (Permission denied)",
        f"{tmp_path}/grids/{id(fail)} (Permission denied)",
    ]
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_bugs_are_not_taken_for_files_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(ZeroDivisionError):
        Outputs().attempt(tmp_path, lambda: 1 / 0)


def test_no_file_that_cannot_be_written_ends_a_training_or_changes_its_weights(
    train: Train, tmp_path: Path, capsys
):
    names = ("equilibrium.json", "scalars.jsonl", "neighbours.png", "finished.json")
    for name in names:
        (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "run/samples").touch()
    with pytest.raises(Incomplete) as end:
        train(*MEASURED, *SMALL_GAP)
    (tmp_path / "run/samples").unlink()
    listed = str(end.value)
    assert all(f"run/{name} (" in listed for name in names) and "4 files in" in listed
    assert "Traceback" not in capsys.readouterr().err
    whole = train(*MEASURED, *SMALL_GAP, run="whole")
    last = tmp_path / "run/checkpoints/last.ckpt"
    resumed = train(*MEASURED, *SMALL_GAP, run="resumed", ckpt_path=last)
    assert_same_weights(whole, resumed)


def test_a_report_that_cannot_be_written_is_listed_with_status_2(call: Call, tmp_path: Path):
    (tmp_path / "outputs/a/report.html").mkdir(parents=True)
    result = call("train", *ONE_EPOCH, "metric=none", cwd=tmp_path, status=2)
    assert "error: the training is saved, but" in result.stderr
    assert "report.html (Is a directory)" in result.stderr and "Generate:" in result.stdout
    finished = json.loads((tmp_path / "outputs/a/finished.json").read_text())
    assert finished["missing"] == [f"{tmp_path}/outputs/a/report.html (Is a directory)"]


def test_a_sweep_lists_what_its_jobs_could_not_write(call: Call, tmp_path: Path):
    (tmp_path / "outputs/a/seed=0/report.html").mkdir(parents=True)
    sweep = ("-m", "seed=0,1", *ONE_EPOCH, "metric=none")
    result = call("train", *sweep, cwd=tmp_path, status=2)
    assert "2 trained, 0 finished before, 0 failed" in result.stdout
    assert "incomplete  seed=0: " in result.stdout and "report.html (Is a" in result.stdout
    assert "2 finished before" in call("train", *sweep, cwd=tmp_path).stdout


def test_a_trial_with_missing_files_keeps_its_score(call: Call, tmp_path: Path):
    pytest.importorskip("optuna")
    (tmp_path / "outputs/a/trial=0000/report.html").mkdir(parents=True)
    arguments = (*ONE_EPOCH, *SMALL_GAP, "callbacks.quality.every_kimg=0.008", "loss=bce,hinge")
    result = call("search", *arguments, "trials=2", cwd=tmp_path, status=2)
    assert result.stdout.count("complete") == 2 and "best " in result.stdout
    assert "trial=0000/report.html (Is a directory)" in result.stderr.splitlines()[-1]
