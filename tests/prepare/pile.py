"""The pile of pictures that the tests prepare, and readers of the results."""

import csv
import errno
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.system.paths import CONF_DIR
from tests.data.pictures import encoded
from tests.processes import Result

Call = Callable[..., Result]
Row = dict[str, str]
DRAWN = DrawnFaces(60, seed=3)
FACES = [f"{number:03d}.png" for number in range(60)]
COPIES = {"jpeg.jpg": "001.png", "mirrored.png": "002.png"}
FAULTS = {
    "blurred.png": "blurred",
    "noise.png": "outlier",
    "flat.png": "flat",
    "tiny.png": "small",
    "truncated.jpg": "unreadable: image file is truncated",
}

SOURCE = "source=[pile,more.zip]"


def planted() -> dict[str, bytes]:
    """Return pictures with one fault each, by name."""
    strangers = DrawnFaces(3, seed=9)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return {
        "jpeg.jpg": encoded(DRAWN.read(1, 64), "JPEG", quality=70),
        "mirrored.png": encoded(DRAWN.read(2, 64).transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        "blurred.png": encoded(strangers.read(0, 64).filter(ImageFilter.GaussianBlur(2))),
        "noise.png": encoded(Image.fromarray(noise)),
        "flat.png": encoded(Image.new("RGB", (64, 64), (200, 120, 90))),
        "tiny.png": encoded(strangers.read(1, 20)),
        "truncated.jpg": encoded(strangers.read(2, 64), "JPEG", quality=95)[:900],
    }


def run_python(*argv: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *argv],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CONF_DIR.parent)},
        start_new_session=True,
    )


def rows_of(out: Path) -> dict[str, Row]:
    """Return the rows of a manifest by name of the picture, read independently."""
    rows = list_rows(out)
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row for row in rows}


def list_rows(out: Path) -> list[Row]:
    path = out / "manifest.csv"
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def reasons(row: Row) -> set[str]:
    return set(row["reason"].split(", ")) - {""}


def command_after(label: str, output: str) -> list[str]:
    """Return the overrides of the command that is printed after a label."""
    (line,) = (line for line in output.splitlines() if line.startswith(label))
    argv = shlex.split(line.removeprefix(label))
    assert argv[1] == "-m"
    return argv[3:]


def error_line(result: Result) -> str:
    """Return the single error message of a command, of at most two lines."""
    assert "Traceback" not in result.stderr
    (_, message) = result.stderr.split("error: ")
    assert len(message.splitlines()) <= 2
    return message


def raise_disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def raise_forbidden(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")
