"""`scalars.jsonl`: the scalars that a training logs, one JSON object per logged point.

    {"images": 12000, "epoch": 3, "loss/generator": 0.7, "speed/images_per_second": 410.2}

Points are appended, with `images` ascending. A run that resumes at N images first removes the
points beyond N, which a killed process had logged after its last checkpoint. Where that removal
failed, a later line supersedes earlier points at and beyond its `images`.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from anime_dcgan.system.errors import RefusedFileError
from anime_dcgan.system.files import atomic_write, open_to_append
from anime_dcgan.system.reader import read_bytes

SCALARS = "scalars.jsonl"
MAX_SCALARS_BYTES = 128 * 1024**2  # 20 million steps at the default interval
MAX_VALUE = 1e50  # anything larger comes from an overflow

Points = list[tuple[float, float]]
"""(images seen, value), images ascending."""


def append_scalars(path: Path, images: int, scalars: Mapping[str, float]) -> None:
    """Append one point to the file; values that are not finite become null. Raises OSError."""
    values = {name: value if math.isfinite(value) else None for name, value in scalars.items()}
    line = json.dumps({"images": images, **values}) + "\n"
    with open_to_append(path) as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a killed process or a full disk left a torn line
                line = "\n" + line
        file.write(line.encode())


def remove_scalars_beyond(path: Path, images: int) -> None:
    """Remove the points beyond `images`, and lines that cannot be read.

    Raises OSError, and `RefusedFileError` if the file cannot be read.
    """
    try:
        lines = read_bytes(path, MAX_SCALARS_BYTES).splitlines(keepends=True)
    except FileNotFoundError:
        return
    points = map(_parse, lines)
    kept = [line for line, point in zip(lines, points, strict=True) if point and point[0] <= images]
    if len(kept) < len(lines):
        with atomic_write(path) as partial:
            partial.write_bytes(b"".join(kept))


def thin(points: Points, max_points: int = 300) -> Points:
    """Return at most `max_points` points, each the mean of equally many neighbours."""
    width = -(-len(points) // max_points)
    chunks = [points[start : start + width] for start in range(0, len(points), max(width, 1))]
    return [(fmean(x for x, _ in chunk), fmean(y for _, y in chunk)) for chunk in chunks]


def read_scalars(run: Path, notes: list[str]) -> dict[str, Points]:
    """Return the curves of a run by name; damaged lines are left out and counted in the notes.

    A torn last line, as a killed process leaves it, is not damage.
    """
    path = run / SCALARS
    try:
        *lines, _ = read_bytes(path, MAX_SCALARS_BYTES).split(b"\n")
    except FileNotFoundError:
        return {}
    except RefusedFileError as error:
        notes.append(f"{SCALARS} cannot be read: {error.reason}")
        return {}
    curves: dict[str, Points] = {}
    damaged = 0
    for line in filter(None, lines):
        point = _parse(line)
        if point is None:
            damaged += 1
            continue
        images, values = point
        for name, value in values.items():
            _add(curves.setdefault(name, []), images, value)
    if damaged:
        notes.append(f"{SCALARS} is damaged: {damaged} of its {len(lines)} lines are left out")
    return curves


def finite_number(value: Any) -> float | None:
    """Return a number that can be plotted, else None; all numbers were read as floats."""
    return value if isinstance(value, float) and abs(value) <= MAX_VALUE else None


def _parse(line: bytes) -> tuple[float, dict[str, float]] | None:
    """Return the images and the finite values of a line; None if it is damaged."""
    try:
        content = json.loads(line, parse_int=float)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    images = finite_number(content.pop("images", None))
    if images is None:
        return None
    values = {name: value for name, value in content.items() if finite_number(value) is not None}
    return images, values


def _add(points: Points, images: float, value: float) -> None:
    """Append a point, replacing earlier points at or beyond its images."""
    while points and points[-1][0] >= images:
        points.pop()
    points.append((images, value))
