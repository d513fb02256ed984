"""Runs and checkpoints are found by name."""

import os
from pathlib import Path

import pytest

from anime_dcgan.run.runs import epoch_of, file_stem, find_checkpoint, find_run, resolve_checkpoint
from anime_dcgan.system.errors import UserError


@pytest.mark.parametrize("epoch", [1, 70, 12345, 0.5, 70.125])
def test_file_stems_of_epochs_are_parsed_back(epoch: float):
    assert epoch_of(Path(f"{file_stem(epoch)}.ckpt")) == epoch


def make_run(outputs: Path, name: str, epochs: list[int], age: float) -> Path:
    folder = outputs / name / "checkpoints"
    folder.mkdir(parents=True)
    for epoch in epochs:
        (folder / f"{file_stem(epoch)}.ckpt").touch()
    (folder / "last.ckpt").touch()
    os.utime(folder / "last.ckpt", (1e9 - age, 1e9 - age))
    return outputs / name


def test_runs_are_found_by_name_path_and_age(tmp_path: Path):
    old = make_run(tmp_path, "old", [1], age=100)
    new = make_run(tmp_path, "sweep/1_loss=bce", [1], age=0)
    assert find_run("old", tmp_path) == find_run(str(old), tmp_path / "elsewhere") == old
    assert find_run("latest", tmp_path) == new
    for mistake, override in (("odl", "run=old"), ("loss=bcee", "run=sweep/1_loss=bce")):
        with pytest.raises(UserError, match=f"^run={mistake} is not a run: .*; use {override}$"):
            find_run(mistake, tmp_path)
    with pytest.raises(UserError, match="^init=x is not a run: .*; use init=latest$"):
        find_run("x", tmp_path, "init=x")
    with pytest.raises(UserError, match="; use run=demo$"):
        find_run("x", tmp_path / "elsewhere")
    with pytest.raises(UserError, match="contains no run with a checkpoint"):
        find_run("latest", tmp_path / "elsewhere")


def test_checkpoints_are_found_by_epoch(tmp_path: Path):
    run = make_run(tmp_path, "a", [1, 2, 70], age=0)
    assert find_checkpoint(run, "70").name == "epoch=0070.ckpt"
    assert find_checkpoint(run, "last").name == find_checkpoint(run, "latest").name == "last.ckpt"
    with pytest.raises(UserError, match="no checkpoint epoch=71; it has: 1, 2, 70"):
        find_checkpoint(run, "71")
    with pytest.raises(UserError, match="epochs=seventy is not an epoch: use epochs=last"):
        find_checkpoint(run, "seventy", "epochs")


def test_the_path_of_a_checkpoint_names_its_run(tmp_path: Path):
    run = make_run(tmp_path, "a", [1], age=0)
    other = make_run(tmp_path, "b", [1], age=1)
    path = other / "checkpoints/epoch=0001.ckpt"
    assert resolve_checkpoint("a", tmp_path, "1") == (run, run / "checkpoints/epoch=0001.ckpt")
    assert resolve_checkpoint("a", tmp_path, str(path)) == (other, path)
    assert resolve_checkpoint("none", tmp_path, "b.ckpt") == (None, Path("b.ckpt"))
