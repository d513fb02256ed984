"""Tests of searches: ranges as distributions; trials that fail, are pruned, or resume."""

import importlib.util
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from anime_dcgan.data.pool import cores
from anime_dcgan.run.checkpoint import read
from anime_dcgan.system.files import try_lock
from tests.processes import TINY, Result, run, start

pytest.importorskip("optuna")
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from anime_dcgan.cli.search_space import make_space, split_ranges
from tests.waiting import wait_until

Call = Callable[..., Result]
SMALL = (
    *TINY,
    "data.count=60",
    *("trainer.max_epochs=2", "logger=none", "callbacks.quality.every_kimg=0.008", "run=a"),
    *("equilibrium.steps=1", "equilibrium.count=2"),
)


@pytest.mark.parametrize(
    ("override", "distribution"),
    [
        ("a=interval(1,5)", FloatDistribution(1, 5)),
        ("a=tag(log,interval(1e-5,1e-3))", FloatDistribution(1e-5, 1e-3, log=True)),
        ("a=int(interval(2,9))", IntDistribution(2, 9)),
        ("a=int(tag(log,interval(2,9)))", IntDistribution(2, 9, log=True)),
        ("a=range(16,129,16)", IntDistribution(16, 128, step=16)),
        ("a=range(9,1,-2)", IntDistribution(3, 9, step=2)),
        ("a=range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("a=bce,hinge", CategoricalDistribution(["bce", "hinge"])),
        ("a=choice(1,x)", CategoricalDistribution(["1", "x"])),
        ("a=[1,2],[2,3]", CategoricalDistribution(["[1,2]", "[2,3]"])),
    ],
)
def test_ranges_in_hydras_grammar_become_optuna_distributions(override: str, distribution: Any):
    fixed, ranges = split_ranges(["--verbose", "seed=1", override, "b='x,y'"])
    assert fixed == ["--verbose", "seed=1", "b='x,y'"]
    assert make_space(ranges) == {"a": distribution}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=1"], "there is nothing to search: add a range"),
        (["loss=bce,hinge", "metric=none"], "metric=none measures no distance"),
        (["loss=bce,hinge", "jobs=0"], "jobs=0 must be at least 1: use jobs=1"),
        (["loss=bce,hinge", "jobs=9999"], "cores of this machine: use jobs="),
        (["loss=bce,hinge", "trials=0"], "trials=0 must be at least 1: use trials=20"),
        (["loss=bce,hinge", "trainer.devices=2"], "use trainer.devices=1"),
        (["loss=glob(*)"], "list the options"),
        (["gan.critic_steps=tag(log,range(0,4))"], "a range cannot be searched"),
        (["gan.critic_steps=range(5,1)"], "range(5,1) has no values: put the smaller bound first"),
        (["max_kimg=interval(1,inf)"], "interval(1,inf) must have two finite bounds"),
        (["max_kimg=interval(nan,1)"], "interval(nan,1) must have two finite bounds"),
        (["loss=bce,hinge", "pruner.startup=-1"], "pruner.startup=-1 must be at least 0"),
        (["loss=bce,hinge", "pruner=null"], "pruner=null has no startup"),
        (["loss=bce,x"], "loss=x is not an option"),
        (["metric=swd,[swd,fd]"], "metric=[swd,fd] is not an option"),
        (["gan.critic_steps=1,x"], "gan.critic_steps=x must be an integer"),
        (["sweep=losses"], "a search cannot be a sweep"),
        (["-m", "loss=bce,hinge"], "a search cannot be a sweep"),
    ],
)
def test_mistakes_are_explained_in_one_line(
    call: Call, tmp_path: Path, arguments: list[str], message: str
):
    result = call("search", *arguments, cwd=tmp_path, status=2)
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_missing_optuna_is_named_with_its_extra(call: Call, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = call("search", "loss=bce,hinge", cwd=tmp_path, status=2)
    assert result.stderr.strip().endswith('pip install -e ".[optuna]"')


def trials(folder: Path) -> list[Any]:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    return optuna.load_study(study_name="search", storage=storage).trials


@pytest.mark.slow
def test_a_resumed_search_proposes_the_same_parameters(call: Call, tmp_path: Path):
    space = ("optimizer.lr=tag(log,interval(1e-4,1e-3))", "augment=none,flip")
    (tmp_path / "whole").mkdir()
    call("search", *SMALL, *space, "trials=3", cwd=tmp_path / "whole")
    call("search", *SMALL, *space, "trials=1", cwd=tmp_path)
    result = call("search", *SMALL, *space, "trials=3", cwd=tmp_path)
    parts, whole = trials(tmp_path / "outputs/a"), trials(tmp_path / "whole/outputs/a")
    assert [trial.params for trial in parts] == [trial.params for trial in whole]
    assert [trial.value for trial in parts] == [trial.value for trial in whole]
    best = min(parts, key=lambda trial: trial.value)
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("Train: "))
    assert f"optimizer.lr={best.params['optimizer.lr']}" in line and "trials" not in line
    assert f"trial={best.number:04d}" in result.stdout
    refused = call("search", *SMALL, "seed=0,1", cwd=tmp_path, status=2)
    assert "is a search with other overrides: use another run=" in refused.stderr
    unnamed = tuple(override for override in (*SMALL, *space) if override != "run=a")
    again = call("search", *unnamed, "trials=3", cwd=tmp_path)
    assert "resuming the search outputs/a" in again.stderr


class Killed(BaseException):
    """Ends the process like a kill, as no handler catches it."""


def test_an_interrupted_trial_resumes_with_its_parameters(call: Call, tmp_path: Path, monkeypatch):
    from anime_dcgan.training.callbacks import checkpointer

    act = checkpointer.Checkpointer.act

    def act_and_die(self: Any, *arguments: Any) -> None:
        act(self, *arguments)
        raise Killed

    monkeypatch.setattr(checkpointer.Checkpointer, "act", act_and_die)
    with pytest.raises(Killed):
        call("search", *SMALL, "optimizer.lr=interval(1e-4,1e-3)", "trials=1", cwd=tmp_path)
    monkeypatch.undo()
    (interrupted,) = trials(tmp_path / "outputs/a")
    assert interrupted.state == TrialState.RUNNING
    call("search", *SMALL, "optimizer.lr=interval(1e-4,1e-3)", "trials=1", cwd=tmp_path)
    (trial,) = trials(tmp_path / "outputs/a")
    assert trial.state == TrialState.COMPLETE and trial.params == interrupted.params
    assert len(trial.intermediate_values) == len(set(trial.intermediate_values)) > 4
    run_dir = tmp_path / "outputs/a/trial=0000"
    assert read(run_dir / "checkpoints/last.ckpt")["epochs_done"] == 2
    assert json.loads((run_dir / "finished.json").read_text())["epochs"] == 2
    rows = json.loads((run_dir / "quality.json").read_text())["rows"]
    assert list(trial.intermediate_values) == list(range(1, len(rows) + 1))


@pytest.mark.slow
def test_several_commands_share_the_trials_of_a_search(call: Call, tmp_path: Path, monkeypatch):
    from anime_dcgan import search

    argv = (*SMALL, "optimizer.lr=interval(1e-4,1e-3)")
    run_trial = search._run_trial

    def run_beside_another(*arguments: Any) -> Sequence[str]:
        monkeypatch.setattr(search, "_run_trial", run_trial)
        result = run("search", *argv, "trials=2", cwd=tmp_path)  # in a process of its own
        assert "trial=0000 is trained by another command" in result.stderr
        assert "still trained by other commands: 1" in result.stdout
        states = [trial.state for trial in trials(tmp_path / "outputs/a")]
        assert states == [TrialState.RUNNING, TrialState.COMPLETE]
        return run_trial(*arguments)

    monkeypatch.setattr(search, "_run_trial", run_beside_another)
    call("search", *argv, "trials=2", cwd=tmp_path)
    states = [trial.state for trial in trials(tmp_path / "outputs/a")]
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE]


needs_two_cores = pytest.mark.skipif(cores() < 2, reason="one core")


@needs_two_cores
@pytest.mark.slow
def test_workers_share_the_trials_and_number_their_lines(tmp_path: Path):
    argv = (*SMALL, "optimizer.lr=interval(1e-4,1e-3)", "jobs=2")
    result = run("search", *argv, "trials=2", cwd=tmp_path)
    for number in (0, 1):
        assert f"trial={number:04d}: optimizer.lr=" in result.stderr
    lines = result.stderr.splitlines()
    assert {line[:3] for line in lines} == {"1: ", "2: "}
    assert result.stdout.count("highlighted") == 1
    assert "Train: " in result.stdout and "jobs" not in result.stdout
    states = [trial.state for trial in trials(tmp_path / "outputs/a")]
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE]


@needs_two_cores
def test_ctrl_c_ends_all_workers_and_the_printed_command_resumes(tmp_path: Path):
    endless = [each for each in SMALL if not each.startswith(("trainer.max_epochs", "run="))]
    argv = [*endless, "trainer.max_epochs=-1", "metric.seed=0,1", "jobs=2", "trials=2"]
    process = start("search", *argv, cwd=tmp_path)
    checkpoints = "outputs/*/trial=*/checkpoints/last.ckpt"
    wait_until(lambda: len(list(tmp_path.glob(checkpoints))) == 2, seconds=90)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert err.count("is stopped, and saved") == 2
    (resume,) = (line for line in out.splitlines() if line.startswith("Resume: "))
    assert "metric.seed=0,1" in resume and "jobs=2" in resume and "run=" in resume
    (folder,) = (path for path in (tmp_path / "outputs").iterdir() if path.name != "cache")
    assert [trial.state for trial in trials(folder)] == [TrialState.RUNNING] * 2
    locks = [try_lock(path) for path in folder.glob("trial=*/.lock")]
    for lock in locks:
        with lock as is_free:
            assert is_free


def test_poor_trials_are_pruned_and_failed_trials_recorded(call: Call, tmp_path: Path, monkeypatch):
    from optuna.pruners import MedianPruner

    monkeypatch.setattr(MedianPruner, "prune", lambda self, study, trial: trial.last_step == 3)
    space = ("loss=wgan", "augment=ada,ada")
    call("search", *SMALL, *space, "trials=1", cwd=tmp_path, status=2)
    (failed,) = trials(tmp_path / "outputs/a")
    assert failed.state == TrialState.FAIL
    failure = json.loads((tmp_path / "outputs/a/trial=0000/failure.json").read_text())
    assert failure["message"].endswith("use augment=ada_fixed")
    call("search", *SMALL, "run=b", "seed=0,1", "trials=1", cwd=tmp_path, status=2)
    (pruned,) = trials(tmp_path / "outputs/b")
    assert pruned.state == TrialState.PRUNED and pruned.last_step == 3
    run_dir = tmp_path / "outputs/b/trial=0000"
    assert read(run_dir / "checkpoints/last.ckpt")["images_seen"] == 24
    assert (run_dir / "report.html").exists() and not (run_dir / "finished.json").exists()


def test_the_command_starts_without_torch_and_optuna():
    import subprocess

    program = "import sys, anime_dcgan.search; assert not {'torch', 'optuna'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
