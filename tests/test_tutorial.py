"""The tutorial is one text in two forms, and its notebook runs from the first cell to the last."""

from pathlib import Path

import pytest

from benchmarks.notebook import NOTEBOOK, PAGE, convert
from tests.processes import TINY

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="only in a checkout")

SHORT = {
    "train": [
        *(*TINY, "max_kimg=0.04", "metric=pixels", "callbacks.quality.count=12"),
        *("callbacks.quality.every_kimg=0.016", "equilibrium.steps=1", "equilibrium.count=2"),
    ],
    "generate": ["overwrite=true", "frames_per_face=2"],
    "publish": ["--cfg", "job"],  # downloads onnxruntime-web
}
COMMANDS_HERE = f"""
import importlib, shlex, sys

def run(line):
    "Run a command with small sizes in this process, where the libraries are loaded."
    python, _, module, *overrides = shlex.split(line)
    short = {SHORT}.get(module.removeprefix("anime_dcgan."), [])
    sys.argv = [module, *overrides, *short]
    try:
        importlib.import_module(module).main()
    except SystemExit as end:
        assert not end.code, line

get_ipython().system = run
"""


def test_both_forms_of_the_tutorial_are_equal():
    assert NOTEBOOK.read_text(encoding="utf-8") == convert(PAGE.read_text(encoding="utf-8")), (
        "python -m benchmarks.notebook writes the notebook"
    )


def test_the_notebook_runs_from_the_first_cell_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(PAGE.parent.parent))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(COMMANDS_HERE))
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    assert {"demo.png", "colours.png", "mine.png", "film.gif", "model"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert (tmp_path / "outputs/mine/report.html").is_file()
