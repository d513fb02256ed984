"""What the studio says of the runs below a folder."""

import os
import shutil
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from anime_dcgan.studio.library import STILL_RUNNING, Library, epoch_name
from tests.checkpoints import make_checkpoint
from tests.studio.conftest import make_outputs


def test_every_run_is_listed_with_what_is_known(client: TestClient):
    runs = {run["name"]: run for run in client.get("/api/runs").json()["runs"]}
    assert set(runs) == {"a", "sweep/b"}
    assert runs["a"]["epochs"] == ["1", "2", "10"] and runs["a"]["named"] == ["best", "last"]
    assert runs["a"]["verdict"]["name"] == "equilibrium" and runs["a"]["verdict"]["epoch"] == 6
    assert runs["a"]["best"] == {"epoch": 8, "images": 8000, "value": 10}
    assert runs["a"]["floor"] == 3 and runs["a"]["headline"] == "swd/all"
    assert runs["sweep/b"]["settings"]["seed"] == 3 and runs["sweep/b"]["image_size"] == 16


def test_a_run_has_its_course(client: TestClient):
    run = client.get("/api/run", params={"run": "a"}).json()
    assert run["curve"][0] == [1000, 17, 1] and len(run["curve"]) == 10
    assert len(run["accuracy"]["real"]) == 40
    assert "python -m anime_dcgan.train" in run["command"]
    assert client.get("/api/run", params={"run": "b"}).status_code == 404
    assert client.get("/api/run", params={"run": "../a"}).status_code == 400


def test_what_is_known_is_not_sent_again(client: TestClient):
    first = client.get("/api/runs")
    again = client.get("/api/runs", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_a_run_that_trains_appears_and_grows(tmp_path: Path):
    library = Library(make_outputs(tmp_path))
    make_checkpoint(tmp_path / "new" / "checkpoints" / "epoch=0001.ckpt")
    (new,) = (run for run in library.runs() if run.name == "new")
    assert new.epochs == ["1"] and new.running and new.problem is not None
    make_checkpoint(tmp_path / "new" / "checkpoints" / "epoch=0002.ckpt")
    assert library.runs()[0].epochs == ["1", "2"]  # the last written comes first


def test_a_run_rests_when_it_is_finished_or_silent(tmp_path: Path):
    library = Library(make_outputs(tmp_path))
    assert all(run.running for run in library.runs())
    (tmp_path / "a" / "finished.json").write_text("{}")
    old = time.time() - STILL_RUNNING - 5
    for path in (tmp_path / "sweep/b").rglob("*"):
        os.utime(path, (old, old))
    assert not any(run.running for run in library.runs())


def test_one_run_may_be_all_that_is_shown(outputs: Path):
    library = Library(outputs, only="sweep/b")
    assert [run.name for run in library.runs()] == ["sweep/b"]
    with pytest.raises(ValueError, match="no run a"):
        library.details("a")


def test_damaged_files_and_odd_names_spoil_nothing(tmp_path: Path):
    make_outputs(tmp_path)
    (tmp_path / "a/config.yaml").write_text("{")
    (tmp_path / "a/quality.json").write_text("[")
    (tmp_path / "a/checkpoints/epoch=odd.ckpt").touch()
    (tmp_path / "empty/checkpoints").mkdir(parents=True)
    shutil.rmtree(tmp_path / "sweep")
    (run,) = Library(tmp_path).runs()
    assert run.problem is not None and run.epochs == ["1", "2", "10"]
    assert Library(tmp_path).details("a").notes


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path, outputs: Path):
    (tmp_path / "out").symlink_to(outputs / "a")
    library = Library(tmp_path)
    assert library.runs() == []
    with pytest.raises(ValueError, match="no run out"):
        library.details("out")


def test_epochs_are_named_as_the_commands_take_them():
    assert [epoch_name(epoch) for epoch in (7.0, 70.25, 1234567.0, 0.5)] == [
        *("7", "70.25", "1234567", "0.5")
    ]
