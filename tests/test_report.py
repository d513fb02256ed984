"""Tests of `report`: the run found, the page written, and one-line errors."""

from pathlib import Path

import pytest

from tests.html import Page
from tests.run_folder import make_full_run, make_run


def test_the_page_is_written_to_the_run_or_to_out(call, tmp_path: Path):
    run = make_full_run(tmp_path / "outputs" / "a")
    result = call("report", cwd=tmp_path)
    assert "outputs/a/report.html: open it in a browser" in result.stderr
    assert Page(run / "report.html").text.count("Equilibrium reached") == 1
    call("report", "run=a", "grids=2", "out=there/page.html", cwd=tmp_path)
    assert len(Page(tmp_path / "there/page.html").all("img", data_weights="raw")) == 2


def test_damaged_files_are_noted_in_one_line(call, tmp_path: Path):
    run = make_run(tmp_path / "outputs" / "a")
    (run / "quality.json").write_text("[")
    result = call("report", cwd=tmp_path)
    note, _ = result.stderr.splitlines()
    assert note.startswith("note: quality.json is damaged")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run=b"], "run=b is not a run"),
        (["outputs=nowhere"], "nowhere contains no run with a checkpoint"),
        (["run=a", "grids=0"], "grids=0 must be at least 1: use grids=6"),
        (["run=a", "grids=true"], "grids=true must be an integer"),
        (["run=a", "out=faces.png"], "must end in .html or .htm"),
        (["run=a", "out=5"], "out=5 must end in .html or .htm: use out=report.html"),
        (["run=a", "out=/proc/page.html"], "/proc/page.html cannot be written"),
    ],
)
def test_mistakes_are_explained_in_one_line(call, tmp_path: Path, overrides, message):
    make_run(tmp_path / "outputs" / "a")
    result = call("report", *overrides, cwd=tmp_path, status=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line
