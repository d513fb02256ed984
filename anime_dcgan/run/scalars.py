"""The curves that a logger wrote, on an axis of images seen: TensorBoard's events, or a CSV."""

import csv
import math
import os
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean

Points = list[tuple[float, float]]
"""(images seen, value), images ascending."""

WANTED = {"loss/discriminator", "loss/generator", "accuracy/real", "accuracy/fake", "epoch"}
LONGEST_EVENT = 65_536  # bytes; what is longer is a picture


def thin(points: Points, max_points: int = 300) -> Points:
    """Return at most `max_points` points, each the mean of equally many neighbours."""
    width = -(-len(points) // max_points)
    chunks = [points[start : start + width] for start in range(0, len(points), max(width, 1))]
    return [(fmean(x for x, _ in chunk), fmean(y for _, y in chunk)) for chunk in chunks]


def read_scalars(run: Path, notes: list[str]) -> dict[str, Points]:
    """The curves of a run by their tags; what cannot be read is told in the notes."""
    curves: dict[str, Points] = {}
    for path in sorted((run / "tensorboard").rglob("events.out.tfevents.*"), key=_when_written):
        _collect(path, _events(path), curves, notes)
    table = run / "csv" / "metrics.csv"
    if not curves and table.is_file():
        _collect(table, _rows(table), curves, notes)
    return curves


def _when_written(path: Path) -> list[str | int]:
    """Orders names by their numbers: time, process, and how many it wrote (9 before 10)."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


def _collect(
    path: Path,
    scalars: Iterable[tuple[str, float, float]],
    curves: dict[str, Points],
    notes: list[str],
) -> None:
    try:
        for tag, images, value in scalars:
            if tag in WANTED and math.isfinite(value):
                _add(curves.setdefault(tag, []), images, value)
    except (OSError, ValueError, csv.Error) as error:
        notes.append(f"{path.name} is damaged; its curves end where it is: {error}")


def _add(points: Points, images: float, value: float) -> None:
    """Append a point. A resumed run goes back to its checkpoint: what it says anew counts."""
    while points and points[-1][0] >= images:
        points.pop()
    points.append((images, value))


def _rows(path: Path) -> Iterator[tuple[str, float, float]]:
    """(tag, images, value) of Lightning's CSVLogger, which leaves empty what was not logged."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            images = float(row.get("step") or "nan")
            for tag in WANTED & row.keys():
                if row[tag] and math.isfinite(images):
                    yield tag, images, float(row[tag])


def _events(path: Path) -> Iterator[tuple[str, float, float]]:
    """(tag, images, value) of an events file of TensorBoard.

    Read here and not by its EventAccumulator, which checks every byte of every picture in Python:
    seconds for a short run, and the grids of a long one are hundreds of megabytes.
    """
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2

    for content in _short_records(path):
        try:
            event = event_pb2.Event.FromString(content)  # type: ignore[attr-defined]
        except DecodeError as error:
            raise ValueError(str(error)) from None
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield value.tag, event.step, value.simple_value


def _short_records(path: Path) -> Iterator[bytes]:
    """The contents of a TFRecord file, without those above `LONGEST_EVENT`.

    A record is its length (8 bytes, little-endian), a checksum (4), the content, a checksum (4).
    The last one may be half written.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while len(head := file.read(12)) == 12:
            (length,) = struct.unpack("<Q", head[:8])
            if file.tell() + length > size:
                return
            if length <= LONGEST_EVENT:
                yield file.read(length)
                file.seek(4, os.SEEK_CUR)
            else:
                file.seek(length + 4, os.SEEK_CUR)
