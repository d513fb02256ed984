"""Commands that the program prints: pasted into a shell, they compose to the same settings."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.callbacks import Timer

from anime_dcgan.cli.overrides import quote_value
from anime_dcgan.run.runs import find_run
from tests.processes import TINY

NAMES = ("ré", "a&b", "a#b", "~x", "a b", "a=b", "it's")
SHORT = (
    *("callbacks.samples=null", "metric=none", "data.count=16", "trainer.max_time=00:01:00:00"),
    *("--config-dir", "mine", "experiment=mine"),
)


@pytest.fixture(autouse=True)
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call the program by an interpreter that prints its arguments, separated by null bytes."""
    interpreter = tmp_path / "my environment" / "python"
    interpreter.parent.mkdir()
    interpreter.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "orig_argv", [str(interpreter)])
    (tmp_path / "mine/experiment").mkdir(parents=True)
    (tmp_path / "mine/experiment/mine.yaml").write_text("# @package _global_\nmax_kimg: 0.123\n")


def paste(line: str, cwd: Path) -> tuple[str, list[str]]:
    """Return the module and the arguments of a line that bash runs."""
    environment = {**os.environ, "HOME": "/nowhere"}
    command = ["bash", "-c", line]
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, check=True)
    _, module, *argv, _ = result.stdout.decode().split("\0")
    return module, argv


def printed(text: str, label: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith(label))
    return line.removeprefix(label).strip()


def composed(call, argv: list[str], cwd: Path, command: str = "train") -> dict[str, Any]:
    return yaml.safe_load(call(command, *argv, "--cfg", "job", cwd=cwd).stdout)


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_a_run_compose_to_its_settings(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    checks: list[int] = []  # of the time: it has passed after the first step
    monkeypatch.setattr(
        Timer, "time_elapsed", lambda *_: checks.append(0) or (1e9 if len(checks) > 1 else 0.0)
    )
    argv = [*TINY[:-1], *SHORT, f"run={quote_value(name)}", "+note='b&c #d'"]
    result = call("train", *argv, cwd=tmp_path)
    module, resume = paste(printed(result.stdout, "Resume:"), tmp_path)
    settings = composed(call, argv, tmp_path)
    assert module == "anime_dcgan.train" and settings["max_kimg"] == 0.123
    assert composed(call, resume, tmp_path) == {**settings, "ckpt_path": "last"}
    module, generate = paste(printed(result.stdout, "Generate:"), tmp_path)
    run = composed(call, generate, tmp_path, "generate")["run"]
    assert find_run(run, tmp_path / "outputs") == tmp_path / "outputs" / name
    module, studio = paste(printed(result.stdout, "Explore:"), tmp_path)
    assert (module, studio) == ("anime_dcgan.studio", generate[:1])
    module, curves = paste(printed(result.stdout, "curves"), tmp_path)
    assert module == "tensorboard.main" and Path(curves[1]).samefile(tmp_path / "outputs" / name)
