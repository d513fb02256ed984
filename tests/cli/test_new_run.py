"""Folders of commands that start in the same second."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anime_dcgan.cli import new_run
from anime_dcgan.system.paths import CONF_DIR

START = """
import sys
from anime_dcgan.cli import new_run
new_run.TIME_FORMAT = "now"
sys.argv = ["train", "seed=1"]
with new_run.new_run():
    name = sys.argv[-1].removeprefix("run=")
    (new_run.OUTPUTS / name / "trained").touch()
    print(name)
"""


def test_commands_of_one_second_get_a_folder_each(tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    command = [sys.executable, "-c", START]
    processes = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    names = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert names == {"now", "now-2", "now-3", "now-4"}
    assert {path.parent.name for path in tmp_path.glob("outputs/*/trained")} == names


@pytest.mark.parametrize("record", [[], ["multirun.yaml"], ["multirun.yaml", "seed=0"]])
def test_a_folder_without_a_run_is_deleted(tmp_path: Path, monkeypatch, record: list[str]):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train"])
    with new_run.new_run():
        (folder,) = (tmp_path / "outputs").iterdir()
        assert sys.argv[1:] == [f"run={folder.name}"]
        for name in record:
            (folder / name).touch()
    assert folder.exists() == ("seed=0" in record)


@pytest.mark.parametrize("argument", ["run=a", "hydra.run.dir=a", "--help", "-c"])
def test_a_command_that_needs_no_folder_makes_none(tmp_path: Path, monkeypatch, argument: str):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", argument])
    with new_run.new_run():
        assert sys.argv[1:] == [argument] and not list(tmp_path.iterdir())
