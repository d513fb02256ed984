"""Commands that begin with the weights of another run: `init=...`."""

import json
import shutil
from pathlib import Path

import pytest

from tests.html import Page
from tests.processes import TINY


@pytest.fixture(scope="module")
def folder(call, finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run `a`, and a run `b` that began with its weights."""
    folder = tmp_path_factory.mktemp("init")
    shutil.copytree(finished / "outputs", folder / "outputs")
    begun = ("init=run:a", "init.freeze=2", "loss=hinge", "run=b", "trainer.max_epochs=3")
    result = call("train", *TINY, *begun, cwd=folder)
    assert "begun from a, epoch 3, 96 images: weights taken are 8 of 8 of the gen" in result.stderr
    return folder


def test_a_run_records_and_reports_what_it_began_from(call, folder: Path):
    content = json.loads((folder / "outputs/b/init.json").read_text())
    assert content["run"] == "a" and content["images"] == 96 and len(content["sha256"]) == 64
    report = Page(folder / "outputs/b/report.html")
    assert f"epoch 3, 96 images; SHA-256 {content['sha256'][:12]}" in report.text
    assert "Begun from" not in Page(folder / "outputs/a/report.html").text
    call("compare", "outputs", "out=compare.html", cwd=folder)
    compared = Page(folder / "compare.html").text
    assert "init.from" in compared and content["sha256"][:12] in compared


def test_a_run_begins_with_an_exported_generator(call, folder: Path):
    call("export", "run=a", "out=mine", cwd=folder)
    begun = ("init=mine", "run=c", "trainer.max_epochs=1")
    result = call("train", *TINY, *begun, cwd=folder)
    assert "epoch 3, 96 images: weights taken are 8 of 8 of the generator, 0 of" in result.stderr
    assert "begins from nothing: an exported generator comes without one" in result.stderr
    assert "new weights" not in result.stderr


def test_the_run_resumes_by_its_command_without_the_other_one(call, folder: Path, tmp_path: Path):
    shutil.copytree(folder / "outputs/b", tmp_path / "outputs/b")
    again = ("init=run:a", "init.freeze=2", "loss=hinge", "run=b", "trainer.max_epochs=4")
    call("train", *TINY, *again, "ckpt_path=last", cwd=tmp_path)
    content = json.loads((tmp_path / "outputs/b/init.json").read_text())
    assert content == json.loads((folder / "outputs/b/init.json").read_text())
    other = [each for each in again if not each.startswith("init")]
    stderr = call("train", *TINY, *other, "ckpt_path=last", cwd=tmp_path, status=2).stderr
    assert "trained with init.from=run:a, not None" in stderr


def test_starts_can_be_swept(call, folder: Path):
    call(
        *("train", *TINY, "-m", "init=null,run:a", "run=starts", "trainer.max_epochs=1"),
        cwd=folder,
    )
    runs = sorted((folder / "outputs/starts").glob("*/finished.json"))
    assert len(runs) == 2
    assert [(run.parent / "init.json").exists() for run in runs] == [False, True]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["init=run:nosuch"],
            "init=run:nosuch is not a run: neither outputs/nosuch nor nosuch has",
        ),
        (["init=run:latest"], "init=run:latest is another run after each training"),
        (["init.freeze=2"], "init.freeze=2 keeps trained layers, and this run begins without any"),
        (["init=a/b.ckpt", "init.epoch=3"], "remove init.epoch=3"),
        (["init=run:a", "init.freeze=4"], "init.freeze=4: this discriminator has 3 layers"),
        (["init=[a,b]"], "init.from=[a,b] must be run:NAME, or a path: use init.from=run:first"),
        (["init.epoch=x", "init=run:a"], "init.epoch=x is not an epoch: use init.epoch=last"),
    ],
)
def test_mistakes_are_explained_and_change_nothing(call, folder: Path, overrides, message):
    before = {path: path.stat().st_mtime_ns for path in (folder / "outputs").rglob("*")}
    stderr = call("train", *TINY, *overrides, "run=new", cwd=folder, status=2).stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    after = {path: path.stat().st_mtime_ns for path in (folder / "outputs").rglob("*")}
    assert before == after
