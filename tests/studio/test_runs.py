"""Listing the runs below a folder."""

import os
import shutil
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.run.origin import Origin, write_origin
from anime_dcgan.run.runs import epoch_name
from anime_dcgan.studio import library as library_module
from anime_dcgan.studio.library import RUNNING_SECONDS, Library
from anime_dcgan.studio.listed_run import BeganFrom
from anime_dcgan.system.paths import DEMO_DIR
from tests.checkpoints import make_checkpoint
from tests.studio.conftest import make_outputs


def test_runs_are_listed_with_their_records(client: TestClient):
    runs = {run["name"]: run for run in client.get("/api/runs").json()["runs"]}
    assert set(runs) == {"a", "sweep/b"}
    assert runs["a"]["epochs"] == ["1", "2", "10"] and runs["a"]["aliases"] == ["best", "last"]
    assert runs["a"]["verdict"]["name"] == "equilibrium" and runs["a"]["verdict"]["epoch"] == 6
    assert runs["a"]["best"] == {"epoch": 8, "images": 8000, "value": 10}
    assert runs["a"]["floor"] == 3 and runs["a"]["headline"] == "swd/all"
    assert runs["sweep/b"]["settings"]["seed"] == 3 and runs["sweep/b"]["image_size"] == 16


def test_run_details_contain_the_curves(client: TestClient):
    run = client.get("/api/run", params={"run": "a"}).json()
    assert run["curve"][0] == [1000, 17, 1] and len(run["curve"]) == 10
    assert len(run["accuracy"]["real"]) == 40
    assert "python -m anime_dcgan.train" in run["command"]
    assert client.get("/api/run", params={"run": "b"}).status_code == 404
    assert client.get("/api/run", params={"run": "../a"}).status_code == 400
    assert client.get("/api/run", params={"run": "sweep/" + 300 * "b"}).status_code == 404


def test_a_run_names_the_checkpoint_that_it_began_from(tmp_path: Path):
    library = Library(make_outputs(tmp_path))
    (before,) = (run for run in library.runs() if run.name == "a")
    assert before.origin is None
    write_origin(tmp_path / "a", Origin("first", 12.5, 9600, 64 * "0", {}))
    (run,) = (run for run in library.runs() if run.name == "a")
    assert run.origin == BeganFrom(run="first", epoch="12.5", images=9600)


def test_an_unchanged_list_returns_304(client: TestClient):
    first = client.get("/api/runs")
    again = client.get("/api/runs", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_without_any_run_the_demo_is_shown(tmp_path: Path):
    library, renderer = Library(tmp_path), Renderer(tmp_path)
    (demo,) = library.runs()
    assert (demo.name, demo.aliases, demo.packaged, demo.running) == ("demo", ["last"], True, False)
    assert library.details("demo").run == demo
    assert renderer.checkpoint("demo", "last").parent == DEMO_DIR
    own = make_checkpoint(tmp_path / "demo/checkpoints/last.ckpt")
    assert [run.packaged for run in library.runs()] == [False]
    assert renderer.checkpoint("demo", "last") == own


def test_an_exported_generator_is_listed_as_a_run(tmp_path: Path):
    make_checkpoint(tmp_path / "other/checkpoints/last.ckpt")
    shutil.copytree(DEMO_DIR, tmp_path / "shared")
    shared = next(run for run in Library(tmp_path).runs() if run.name == "shared")
    assert (shared.model, shared.image_size, shared.packaged) == ("biggan", 64, False)
    assert Renderer(tmp_path).checkpoint("shared", "last").parent == tmp_path / "shared"


def test_new_runs_and_checkpoints_appear(tmp_path: Path):
    library = Library(make_outputs(tmp_path))
    make_checkpoint(tmp_path / "new" / "checkpoints" / "epoch=0001.ckpt")
    (new,) = (run for run in library.runs() if run.name == "new")
    assert new.epochs == ["1"] and new.running and new.problem is not None
    make_checkpoint(tmp_path / "new" / "checkpoints" / "epoch=0002.ckpt")
    assert library.runs()[0].epochs == ["1", "2"]  # most recently updated first


def test_a_finished_or_silent_run_is_not_running(tmp_path: Path):
    library = Library(make_outputs(tmp_path))
    assert all(run.running for run in library.runs())
    (tmp_path / "a" / "finished.json").write_text("{}")
    old = time.time() - RUNNING_SECONDS - 5
    for path in (tmp_path / "sweep/b").rglob("*"):
        os.utime(path, (old, old))
    assert not any(run.running for run in library.runs())


def test_the_list_can_be_restricted_to_one_run(outputs: Path):
    library = Library(outputs, only="sweep/b")
    assert [run.name for run in library.runs()] == ["sweep/b"]
    with pytest.raises(ValueError, match="no run a"):
        library.details("a")


def test_damaged_files_and_odd_names_are_tolerated(tmp_path: Path):
    make_outputs(tmp_path)
    (tmp_path / "a/config.yaml").write_text("{")
    (tmp_path / "a/quality.json").write_text("[")
    (tmp_path / "a/checkpoints/epoch=odd.ckpt").touch()
    os.mkfifo(tmp_path / "a/equilibrium.json.new")
    (tmp_path / "a/equilibrium.json.new").replace(tmp_path / "a/equilibrium.json")
    (tmp_path / "empty/checkpoints").mkdir(parents=True)
    shutil.rmtree(tmp_path / "sweep")
    (run,) = Library(tmp_path).runs()
    assert run.problem is not None and run.epochs == ["1", "2", "10"]
    assert Library(tmp_path).details("a").record.notes


def test_the_list_survives_a_restart_without_reading_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    outputs, cache = make_outputs(tmp_path / "outputs"), tmp_path / "cache/runs.json"
    listed = Library(outputs, cache=cache).runs()
    monkeypatch.setattr(library_module, "read_run", lambda *_: pytest.fail("the run is read again"))
    assert Library(outputs, cache=cache).runs() == listed
    monkeypatch.undo()
    (outputs / "a/config.yaml").write_text("{")
    cache.write_text(cache.read_text()[:-5])
    assert Library(outputs, cache=cache).details("a").run.problem is not None


def test_previews_are_drawn_once(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    first = client.get("/api/run/preview.png", params={"run": "a", "epoch": "10"})
    assert first.headers["content-type"] == "image/png"
    monkeypatch.setattr(Renderer, "preview", lambda *_: pytest.fail("it is drawn again"))
    again = client.get("/api/run/preview.png", params={"run": "a", "epoch": "10", "again": 1})
    assert again.content == first.content


def test_symlinks_out_of_the_folder_are_not_followed(tmp_path: Path, outputs: Path):
    (tmp_path / "out").symlink_to(outputs / "a")
    library = Library(tmp_path)
    assert all(run.packaged for run in library.runs())
    with pytest.raises(ValueError, match="no run out"):
        library.details("out")


def test_epoch_names_match_the_commands():
    assert [epoch_name(epoch) for epoch in (7.0, 70.25, 1234567.0, 0.5)] == [
        *("7", "70.25", "1234567", "0.5")
    ]
