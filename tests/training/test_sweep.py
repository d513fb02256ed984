"""Tests of sweeps: names of folders, and jobs that are skipped, resumed or fail."""

import importlib
import json
import math
import os
import pickle
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from anime_dcgan.run import outcome
from anime_dcgan.run.checkpoint import read
from anime_dcgan.system.paths import CONF_DIR
from anime_dcgan.training.sweep import MAX_NAME_BYTES, SweepCallback, file_name, varied_keys
from tests.processes import TINY, Result, run
from tests.waiting import wait_until

Call = Callable[..., Result]
ONE_EPOCH = (*TINY, "trainer.max_epochs=1", "metric=none", "logger=none")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def epochs(run_dir: Path) -> float:
    return read(run_dir / "checkpoints/last.ckpt")["epochs_done"]


@pytest.fixture(autouse=True)
def clear_resolver() -> Iterator[None]:
    """Remove the resolver that a sweep in this process registers."""
    yield
    OmegaConf.clear_resolver("varied")


def test_folder_names_are_short_valid_and_unique():
    assert file_name("loss=bce,seed=0") == "loss=bce,seed=0"
    long = [file_name(f"data.path={'x' * 300}{number}") for number in range(3)]
    bad = [file_name(name) for name in ("a=b/c", "a=b:c", "a='b c'", "a=b-c", ".", "..")]
    assert len({*long, *bad}) == 9
    for name in [*long, *bad, file_name("ü" * 300)]:
        assert len(name.encode()) <= MAX_NAME_BYTES
        assert not set(name) & set("/\\:*?\"'<>| ")
        assert not name.startswith(".")


def multirun(params: dict[str, str], *task: str) -> Any:
    hydra = {"sweeper": {"params": params}, "overrides": {"task": list(task)}}
    return OmegaConf.create({"hydra": hydra})


def test_keys_with_several_values_in_the_file_or_command_line_vary():
    assert varied_keys(multirun({"loss": "bce,wgan"}, "seed=range(3)", "model.latent_dim=6")) == {
        *("loss", "seed")
    }
    assert varied_keys(multirun({}, "loss=bce", "a=[1,2]", "b='x,y'")) == set()


def test_a_single_run_of_a_sweep_is_named_by_the_keys_of_the_file():
    params = {"loss": "bce,wgan", "seed": "0,1"}
    assert varied_keys(multirun(params, "loss=bce", "seed=0", "data.path=a")) == {"loss", "seed"}


def test_folders_are_named_in_the_processes_of_launchers_too():
    unpickled = pickle.loads(pickle.dumps(SweepCallback({"loss"})))
    assert unpickled.folder_name(["sweep=losses", "loss=bce", "seed=0"]) == "loss=bce"
    assert unpickled.folder_name([]) == "job"
    config = OmegaConf.create({"argv": ["loss=bce", "seed=1"], "name": "${varied:${argv}}"})
    assert config.name == "loss=bce"


def test_a_run_is_finished_for_its_budget_and_for_smaller_ones(tmp_path: Path):
    def config(kimg: float | None, epochs: int | None, minutes: float | None = None) -> Any:
        trainer = {"max_epochs": epochs}
        return OmegaConf.create({"max_kimg": kimg, "max_minutes": minutes, "trainer": trainer})

    assert not outcome.is_finished(tmp_path, config(1, 2))
    outcome.write_failure(tmp_path, "no memory")
    assert outcome.read_failure(tmp_path) == "no memory"
    outcome.write_finished(tmp_path, config(1, 2), images=1000, epochs=1.5, hours=0.5)
    assert outcome.read_failure(tmp_path) is None
    for kimg, epochs, finished in (
        *((1, 2, True), (0.5, 2, True), (2, 1, True), (1, -1, True)),
        *((2, 2, False), (None, 2, False), (2, -1, False), (2, None, False)),
    ):
        assert outcome.is_finished(tmp_path, config(kimg, epochs)) is finished
    assert outcome.is_finished(tmp_path, config(None, -1, minutes=30))
    assert not outcome.is_finished(tmp_path, config(None, -1, minutes=31))


def test_the_objective_is_the_lowest_measured_distance(tmp_path: Path):
    assert outcome.best_distance(tmp_path) == math.inf
    rows = [{"values": {"a": value, "b": -1}} for value in (3.0, math.nan, 2.0, 4.0)]
    content = {"metric": {"headline": "a"}, "rows": rows}
    (tmp_path / "quality.json").write_text(json.dumps(content))
    assert outcome.best_distance(tmp_path) == 2.0
    (tmp_path / "quality.json").write_text("{")
    assert outcome.best_distance(tmp_path) == math.inf


def test_the_same_command_trains_only_unfinished_jobs(call: Call, tmp_path: Path):
    sweep = ("-m", "loss=bce,hinge", *ONE_EPOCH)
    first = call("train", *sweep, cwd=tmp_path)
    assert "2 trained, 0 finished before, 0 failed" in first.stdout
    (folder,) = (path.parent for path in (tmp_path / "outputs").glob("*/multirun.yaml"))
    assert names(folder) == ["loss=bce", "loss=hinge"]
    (folder / "loss=bce" / "finished.json").unlink()  # as if it had been interrupted
    again = call("train", *sweep, cwd=tmp_path)
    assert f"resuming the sweep outputs/{folder.name}" in again.stderr
    assert "1 trained, 1 finished before, 0 failed" in again.stdout
    assert epochs(folder / "loss=bce") == 1
    named = ("-m", "loss=bce,hinge", *ONE_EPOCH, f"run={folder.name}")
    extended = call("train", *named, "seed=0,1", "trainer.max_epochs=1", cwd=tmp_path)
    assert "2 trained, 2 finished before, 0 failed" in extended.stdout
    assert names(folder) == [f"loss={loss},seed={n}" for loss in ("bce", "hinge") for n in (0, 1)]
    raised = call("train", *named, "seed=0", "loss=bce,lsgan", "trainer.max_epochs=2", cwd=tmp_path)
    assert "2 trained" in raised.stdout


@pytest.mark.slow
def test_a_larger_budget_resumes_from_the_checkpoint(call: Call, tmp_path: Path):
    sweep = ("-m", "seed=0,1", "run=a", *ONE_EPOCH)
    call("train", *sweep, cwd=tmp_path)
    call("train", *sweep, "trainer.max_epochs=2", cwd=tmp_path)
    assert epochs(tmp_path / "outputs/a/seed=1") == 2
    commands = (tmp_path / "outputs/a/seed=1/command.txt").read_text().splitlines()
    assert len(commands) == 2 and 'run="a/seed=1"' in commands[0]


def test_a_failed_job_is_recorded_and_the_others_continue(call: Call, tmp_path: Path, monkeypatch):
    sweep = ("-m", "loss=wgan", "augment=ada,none", "run=a", *ONE_EPOCH)
    result = call("train", *sweep, cwd=tmp_path, status=1)
    assert "1 trained, 0 finished before, 1 failed" in result.stdout
    assert "failed  augment=ada: augment=ada" in result.stdout
    failure = json.loads((tmp_path / "outputs/a/augment=ada/failure.json").read_text())
    assert failure["message"].endswith("use augment=ada_fixed") and failure["when"]
    assert "traceback" not in failure
    other = call("train", *sweep, "model.latent_dim=7", cwd=tmp_path, status=1)
    assert "latent_dim=6, not 7" in other.stdout and "another run=" in other.stdout
    call("train", *sweep, "augment=none", cwd=tmp_path)
    assert not (tmp_path / "outputs/a/augment=none/failure.json").exists()


def test_any_exception_fails_only_its_job(call: Call, tmp_path: Path, monkeypatch):
    def fit(config: Any, *arguments: Any) -> None:
        if config.seed == 0:
            raise ArithmeticError("of the card")
        outcome.write_finished(Path(config.run_dir), config, 1, 1.0, 1.0)

    monkeypatch.setattr(importlib.import_module("anime_dcgan.training.fit"), "fit", fit)
    result = call("train", "-m", "seed=0,1", "run=a", *ONE_EPOCH, cwd=tmp_path, status=1)
    assert "failed  seed=0: ArithmeticError: of the card" in result.stdout
    failure = json.loads((tmp_path / "outputs/a/seed=0/failure.json").read_text())
    assert "Traceback" in failure["traceback"]


@pytest.mark.slow
def test_the_same_command_resumes_a_stopped_sweep(call: Call, tmp_path: Path):
    argv = ["-m", "seed=0,1", "metric=none", *TINY, "callbacks.checkpointer.every_epochs=2"]
    command = [sys.executable, "-m", "anime_dcgan.train", *argv, "trainer.max_epochs=400"]
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    checkpoint = "outputs/*/seed=0/checkpoints/last.ckpt"
    found = wait_until(lambda: list(tmp_path.glob(checkpoint)), process=process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    folder = found[0].parent.parent.parent
    assert names(folder) == ["seed=0"]  # the whole sweep is stopped
    assert process.returncode == 130
    interpreter = shlex.quote(sys.executable)
    assert f"Resume: {interpreter} -m anime_dcgan.train -m seed=0,1" in out.decode()
    end = int(epochs(folder / "seed=0")) + 1
    more = (f"trainer.max_epochs={end}", f"run={folder.name}")
    result = call("train", *argv, *more, cwd=tmp_path)
    assert "2 trained, 0 finished before" in result.stdout
    assert epochs(folder / "seed=0") == epochs(folder / "seed=1") == end


@pytest.mark.parametrize(
    ("package", "launcher"),
    [
        ("hydra_joblib_launcher", ("joblib", "hydra.launcher.n_jobs=2")),
        ("hydra_submitit_launcher", ("submitit_local",)),
    ],
)
@pytest.mark.slow
def test_launchers_run_skip_and_record_jobs(
    call: Call, tmp_path: Path, package: str, launcher: tuple[str, ...]
):
    pytest.importorskip(f"hydra_plugins.{package}")
    sweep = ("-m", "augment=none,flip,ada", "run=a", "loss=wgan", *ONE_EPOCH)
    where = (f"hydra/launcher={launcher[0]}", *launcher[1:])
    call("train", *sweep, "augment=none,none", cwd=tmp_path)
    result = run("train", *sweep, *where, cwd=tmp_path, status=1)
    assert "1 trained, 1 finished before, 1 failed" in result.stdout
    assert "failed  augment=ada: augment=ada" in result.stdout
    for name in ("augment=none", "augment=flip"):
        assert epochs(tmp_path / "outputs/a" / name) == 1


DDP = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")


@pytest.mark.slow
def test_sweeps_run_jobs_of_two_processes(tmp_path: Path):
    result = run("train", "-m", "loss=bce", "run=a", *ONE_EPOCH, *DDP, cwd=tmp_path)
    assert "1 trained, 0 finished before, 0 failed" in result.stdout
    (name,) = names(tmp_path / "outputs/a")
    assert epochs(tmp_path / "outputs/a" / name) == 1


@pytest.mark.parametrize(
    ("reason", "message"), [(None, "ended with status 1"), ("it became NaN", "it became NaN")]
)
def test_a_failed_job_of_two_processes_is_recorded(
    call: Call, tmp_path: Path, monkeypatch, reason: str | None, message: str
):
    monkeypatch.setattr(sys, "executable", "false")
    run_dir = tmp_path / "outputs/a/model.generator.width=3"
    if reason is not None:
        run_dir.mkdir(parents=True)
        outcome.write_failure(run_dir, reason)
    argv = ("-m", *ONE_EPOCH, "model.generator.width=3,3", "run=a", *DDP)
    result = call("train", *argv, cwd=tmp_path, status=1)
    assert message in result.stdout
