"""Commands whose output or file names have an encoding that lacks some characters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.system.paths import CONF_DIR
from tests.processes import TINY

COMMANDS = [
    ["prepare", "source=fés", "out=prép", "workers=1", "thresholds.outlier=null"],
    ["train", *TINY[1:], "data=folder", "data.path=fés", "run=ré", "trainer.max_epochs=1"],
    ["evaluate", "run=ré", "count=12", "out=outputs/é.csv"],
    ["generate", "run=ré", "n=2", "out=gé.png"],
    ["report", "run=ré"],
    ["compare"],
    ["blind", "runs=ré,ré", "out=blïnd", "n=1"],
    ["train", *TINY[1:], "data=folder", "data.path=nö", "run=ü"],  # an error with status 2
]
SCRIPT = """
import importlib, sys
for argv in %r:
    sys.argv = [argv[0], *argv[1:]]
    try:
        importlib.import_module(f"anime_dcgan.{argv[0]}").main()
        status = 0
    except SystemExit as end:
        status = end.code
    print("status", argv[0], status, flush=True)
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        pytest.param({"PYTHONUTF8": "0", "LC_ALL": "C"}, marks=pytest.mark.slow),
    ],
    ids=lambda environment: "-".join(environment.values()),
)
def test_no_command_fails_for_a_character_that_cannot_be_printed(
    tmp_path: Path, environment: dict[str, str]
):
    faces = DrawnFaces(40)
    (tmp_path / "fés").mkdir()
    for index in range(40):
        faces.read(index, 64).save(tmp_path / "fés" / f"é{index}.png")
    (tmp_path / "script.py").write_text(SCRIPT % COMMANDS, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CONF_DIR.parent), **environment},
        capture_output=True,
        timeout=120,
    )
    assert b"Traceback" not in result.stderr, result.stderr.decode(errors="replace")
    statuses = [line for line in result.stdout.splitlines() if line.startswith(b"status ")]
    expected = [f"status {command} 0".encode() for command, *_ in COMMANDS[:-1]]
    assert statuses == [*expected, b"status train 2"]
    assert (tmp_path / "outputs/ré/report.html").exists() and (tmp_path / "gé.png").exists()
