"""Trainings that were stopped, killed or damaged, resumed by their command."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from anime_dcgan.run.checkpoint import read
from tests.processes import TINY, run, start
from tests.waiting import wait_until

TENTH = "outputs/*/checkpoints/epoch=0010.ckpt"


def has_last(checkpoint: Path) -> bool:
    """Return True if last.ckpt has been written after the epoch's checkpoint."""
    last = checkpoint.with_name("last.ckpt")
    return last.stat().st_mtime_ns >= checkpoint.stat().st_mtime_ns


def wait_for(pattern: str, folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file of this pattern exists, while the process is running."""
    wait_until(lambda: list(folder.glob(pattern)), seconds=120, process=process)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_stopped_and_killed_runs_resume_with_the_same_command(call, tmp_path: Path, number: int):
    settings = [*TINY, "trainer.max_epochs=400", "callbacks.checkpointer.every_epochs=5"]
    process = start("train", *settings, cwd=tmp_path)
    found = wait_until(
        lambda: [path for path in tmp_path.glob(TENTH) if has_last(path)], process=process
    )
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    last = found[0].parent / "last.ckpt"
    images_seen = read(last)["images_seen"]
    if number == signal.SIGINT:
        assert process.returncode == 130, err
        (command,) = (line for line in out.splitlines() if line.startswith("Resume: "))
        assert "ckpt_path=last" in command and "run=" in command
    assert images_seen >= 10 * 32
    settings[settings.index("trainer.max_epochs=400")] = (
        f"trainer.max_epochs={images_seen // 32 + 2}"
    )
    assert len(list((tmp_path / "outputs").glob("*/checkpoints"))) == 1
    result = run(
        "train", *settings, f"run={last.parent.parent.name}", "ckpt_path=last", cwd=tmp_path
    )
    assert f"{(images_seen // 32 + 2) * 32}/" in result.stderr
    again = call("train", *settings, "ckpt_path=last", cwd=tmp_path)
    assert str(last.parent.parent) in again.stdout


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(call, tmp_path: Path):
    often = ("callbacks.scalars.every_kimg=0.016", "callbacks.samples.every_epochs=1")
    rarely = "callbacks.checkpointer.every_epochs=1000"
    settings = [*TINY, "trainer.max_epochs=30", rarely, *often]
    process = start("train", *settings, cwd=tmp_path)
    wait_for("outputs/*/samples/ema/epoch=0002.png", tmp_path, process)
    process.kill()
    process.communicate()
    (folder,) = (path.parent for path in tmp_path.glob("outputs/*/config.yaml"))
    assert not list(folder.glob("checkpoints/*"))
    stderr = call("train", *settings, "ckpt_path=last", "seed=3", cwd=tmp_path, status=2).stderr
    assert "this command started no run" in stderr
    named = f"run={folder.name}"
    stderr = call(
        "train", *settings, "ckpt_path=last", "seed=3", named, cwd=tmp_path, status=2
    ).stderr
    assert "seed" in stderr and "another run=..." in stderr
    result = call("train", *settings, "ckpt_path=last", cwd=tmp_path)
    assert "stopped before its first checkpoint: the training begins again" in result.stderr
    assert str(folder) in result.stdout and (folder / "checkpoints/last.ckpt").exists()
    lines = (folder / "scalars.jsonl").read_text().splitlines()
    images = [json.loads(line)["images"] for line in lines]
    assert images == sorted(images) and images.count(16) == 1 and images[-1] == 960
    assert len(list(folder.glob("samples/ema/*.png"))) == 30


def test_a_run_that_ended_before_its_first_step_begins_again(call, tmp_path: Path):
    """Ctrl-C while its pictures are drawn; named, and killed then; and by the same command."""
    settings = (*TINY, "data.count=400", "trainer.max_epochs=1", "trainer.limit_train_batches=2")
    begins_again = "stopped before its first checkpoint: the training begins again"
    stopped = start("train", *settings, cwd=tmp_path)
    wait_for("outputs/cache/.building-*/faces.npy", tmp_path, stopped)
    stopped.send_signal(signal.SIGINT)
    out, err = stopped.communicate(timeout=60)
    assert stopped.returncode == 130, err
    assert "stopped before the training began" in out and "ckpt_path=last" in out
    (folder,) = (path.parent for path in tmp_path.glob("outputs/*/.hydra"))
    killed = start("train", *settings, f"run={folder.name}", "ckpt_path=last", cwd=tmp_path)
    wait_for("outputs/cache/.building-*/faces.npy", tmp_path, killed)
    killed.kill()
    assert begins_again in killed.communicate()[1]
    assert not (folder / "config.yaml").exists()
    result = call("train", *settings, "ckpt_path=last", cwd=tmp_path)
    assert begins_again in result.stderr
    assert str(folder) in result.stdout and (folder / "checkpoints/last.ckpt").exists()


def test_a_refused_command_leaves_no_folder(call, tmp_path: Path):
    for last in ((), ("ckpt_path=last",)):
        missing = ("data=folder", "data.path=missing", "run=a", *last)
        call("train", *missing, cwd=tmp_path, status=2)
        assert not (tmp_path / "outputs/a").exists()


@pytest.mark.slow
def test_a_run_with_damaged_settings_resumes_from_its_checkpoint(finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    for damaged in ("", "loss:\n  _target_: anime_dcgan.game.loss.BCE\nse", "a: [1"):
        (outputs / "a/config.yaml").write_text(damaged)
        again = ("run=a", "trainer.max_epochs=3", "ckpt_path=last")
        run("train", *TINY, *again, cwd=tmp_path)
        assert "model" in yaml.safe_load((outputs / "a/config.yaml").read_text())


@pytest.mark.slow
def test_a_run_without_its_last_checkpoint_is_not_overwritten(finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    (outputs / "a/checkpoints/last.ckpt").unlink()
    stderr = run("train", *TINY, "trainer.max_epochs=3", "run=a", cwd=tmp_path, status=2).stderr
    assert "but not its last.ckpt" in stderr
    arguments = shlex.split(stderr.rpartition("resume with ")[2])
    run("train", *TINY, "trainer.max_epochs=4", "run=a", *arguments, cwd=tmp_path)


@pytest.mark.slow
def test_damaged_records_of_a_run_do_not_stop_it(finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    for verdict in ("{bro", '{"verdict": 1}'):  # the run is finished, so nothing is trained
        (outputs / "a/equilibrium.json").write_text(verdict)
        run("train", *TINY, "trainer.max_epochs=3", "run=a", "ckpt_path=last", cwd=tmp_path)
    (outputs / "a/quality.json").write_text("{bro")
    again = ("trainer.max_epochs=4", "run=a", "ckpt_path=last")
    stderr = run("train", *TINY, *again, cwd=tmp_path).stderr
    assert "quality.json is damaged and was renamed to" in stderr
    assert (outputs / "a/quality-damaged.json").read_text() == "{bro"


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
def test_two_commands_do_not_train_in_one_folder(call, tmp_path: Path):
    endless = (*TINY, "run=a", "trainer.max_epochs=-1", "metric=none", "callbacks.samples=null")
    endless += ("callbacks.checkpointer.every_epochs=1",)
    first = start("train", *endless, cwd=tmp_path)
    try:
        wait_for("outputs/a/checkpoints/last.ckpt", tmp_path, first)
        stderr = call("train", *endless, "ckpt_path=last", cwd=tmp_path, status=2).stderr
        assert "is being trained by another command" in stderr
    finally:
        first.kill()
        first.communicate()
    last = tmp_path / "outputs/a/checkpoints/last.ckpt"
    budget = f"max_kimg={read(last)['images_seen'] / 1000 + 0.01}"
    call("train", *endless, "ckpt_path=last", budget, cwd=tmp_path)


def test_a_damaged_last_checkpoint_is_explained_with_the_remaining_ones(
    call, finished: Path, tmp_path: Path
):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    last = outputs / "a/checkpoints/last.ckpt"
    whole = last.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"no checkpoint"):
        last.unlink()
        last.write_bytes(content)
        for command in (("train", *TINY, "ckpt_path=last"), ("generate", "out=a.png")):
            stderr = call(*command, "run=a", cwd=tmp_path, status=2).stderr
            assert "such as that of an epoch" in stderr or "is refused: it is damaged" in stderr
            assert "mmap" not in stderr and stderr.count("error: ") == 1
    last.unlink()
    stderr = call("train", *TINY, "run=a", "ckpt_path=last", cwd=tmp_path, status=2).stderr
    assert "epoch=0003.ckpt" in stderr
    stderr = call("train", *TINY, "run=b", "ckpt_path=last", cwd=tmp_path, status=2).stderr
    assert "remove ckpt_path=last to start it" in stderr
