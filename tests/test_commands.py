"""The train command as users run it: in an empty folder, with the files that it leaves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.processes import TINY, Result


def test_a_finished_run_records_its_command_and_can_be_sampled(call, finished: Path):
    command = (finished / "outputs/a/command.txt").read_text().split()
    assert command[:3] == ["python", "-m", "anime_dcgan.train"]
    assert "run=a" in command
    resolved = yaml.safe_load((finished / "outputs/a/config.yaml").read_text())
    assert resolved["gan"]["generator"]["image_size"] == 16
    call("generate", "run=a", "n=4", "seed=1", "out=next.png", cwd=finished)
    with Image.open(finished / "next.png") as grid:
        assert grid.size == (2 * 18 + 2, 2 * 18 + 2)


def test_a_run_name_that_is_taken_is_refused_and_the_run_left_untouched(call, finished: Path):
    last = finished / "outputs/a/checkpoints/last.ckpt"
    before = last.stat().st_mtime_ns
    result = call("train", *TINY, "run=a", cwd=finished, status=2)
    assert "ckpt_path=last" in result.stderr
    assert last.stat().st_mtime_ns == before


def test_a_profile_contains_a_table_and_a_trace(call: Callable[..., Result], tmp_path: Path):
    arguments = ("trainer=profile", "callbacks=none", "logger=none", "trainer.accelerator=cpu")
    small = ("data.count=40", "data.image_size=16", "data.batch_size=4", "run=profiled")
    stdout = call("train", *arguments, *small, "trainer.precision=32-true", cwd=tmp_path).stdout
    profile = tmp_path / "outputs" / "profiled" / "profile"
    assert f"profile      {profile}" in stdout
    for absent in ("checkpoints", "curves", "Generate:"):  # none of these was written
        assert absent not in stdout
    (table,) = profile.glob("*.txt")
    assert "aten::convolution_backward" in table.read_text()
    (trace,) = profile.glob("*.json")
    assert json.loads(trace.read_text())["traceEvents"]


def contents_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss=hinge", "data.count=77"], "already has a run"),
        (["loss=hinge", "ckpt_path=last"], "the checkpoint was trained with loss"),
        (["trainer.max_epochs=2", "ckpt_path=last"], "3 epochs already: set trainer.max_epochs"),
        (["max_kimg=0.04", "ckpt_path=last"], "96 images already: set max_kimg above 0.096"),
        (["trainer.accelerator=abacus", "ckpt_path=last"], "trainer"),
        (["callbacks.samples.count=0", "ckpt_path=last"], "callbacks.samples.count=0"),
    ],
)
def test_a_refused_command_changes_no_file_of_the_run(
    call, finished: Path, tmp_path: Path, overrides: list[str], message: str
):
    run_dir = shutil.copytree(finished / "outputs/a", tmp_path / "outputs/a")
    before = contents_of(run_dir)
    budget = () if "trainer.max_epochs=2" in overrides else ("trainer.max_epochs=3",)
    result = call("train", *TINY, *budget, *overrides, "run=a", cwd=tmp_path, status=2)
    assert message in result.stderr and "Traceback" not in result.stderr
    assert contents_of(run_dir) == before
    resumed = call("train", *TINY, "trainer.max_epochs=3", "ckpt_path=last", cwd=tmp_path)
    assert str(run_dir) in resumed.stdout


@pytest.mark.parametrize("name", [(), ("run=b",)])
@pytest.mark.parametrize("mistake", ["data.count=0", "callbacks.samples.count=0"])
def test_a_refused_command_leaves_no_folder(call, tmp_path: Path, name, mistake: str):
    call("train", *TINY, mistake, *name, cwd=tmp_path, status=2)
    assert [path.name for path in (tmp_path / "outputs").iterdir()] in ([], ["cache"])
