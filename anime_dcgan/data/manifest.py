"""The manifest of a prepared set, and the faces that it keeps: `data=manifest`.

A manifest is a CSV in UTF-8, one row a picture (a face, where faces were cropped): where it lies,
what was measured, the verdict with its reasons, and the side of the split. A spreadsheet opens it;
what counts for the training is `source`, `name`, `region`, `verdict` and `split`, and these may be
edited.
"""

import csv
import hashlib
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anime_dcgan.data.concat import ConcatPictures, concat_folders
from anime_dcgan.data.region import Region
from anime_dcgan.system.errors import UserError

COLUMNS = (
    *("source", "name", "region", "verdict", "reason", "split", "copy_of", "distance"),
    *("width", "height", "bytes", "pixels"),
    *("brightness", "contrast", "colour", "sharpness", "oddness"),
)
NEEDED = ("source", "name", "verdict", "split")
NAMES = ("name", "copy_of")
KEEP, DROP = "keep", "drop"
TRAIN, HOLDOUT = "train", "holdout"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins like this is run by some spreadsheets."""
HERE = "./"
"""Stands before such a name, and before one that begins with it already, as a tar's often does."""

Row = dict[str, Any]


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows (keys of `COLUMNS`) beside `path` and rename: it is whole or it is not there.

    Names of files that are no UTF-8 keep their bytes. Raises `OSError`.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)  # of its line ends, both are quoted in a name
            writer.writeheader()
            for row in rows:
                tame = {key: _tame(str(row[key])) for key in NAMES}
                writer.writerow({**row, **tame})
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_manifest(path: Path) -> Iterator[Row]:
    """The rows as they were written, all values as text. `UserError` where it is no manifest."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{path} is no manifest: it has no column {missing[0]} (commas separate them); "
                    "python -m anime_dcgan.prepare source=... out=... writes one"
                )
            for row in reader:
                names = {key: row.get(key) or "" for key in NAMES}
                yield {**row, **{key: name.removeprefix(HERE) for key, name in names.items()}}
    except OSError as error:
        raise UserError(
            f"the manifest {path} cannot be read: {error.strerror}; "
            "python -m anime_dcgan.prepare source=... out=... writes one"
        ) from None
    except csv.Error as error:
        raise UserError(f"{path} is no manifest: {error}") from None


class ManifestFaces:
    """The pictures that a manifest keeps, in its order, cut to the region where it names one.

    Raises `UserError` where the manifest or what it names is not there.
    """

    def __init__(self, manifest: str | os.PathLike[str] | None) -> None:
        if manifest is None or str(manifest) in ("", "???"):
            raise UserError(
                "data=manifest needs one: add data.manifest=FILE.csv, "
                "which python -m anime_dcgan.prepare source=... out=... writes"
            )
        self.path = Path(manifest).expanduser().absolute()
        kept = _Kept(self.path)
        self._pictures = concat_folders(kept.sources, f"{self.path}: source ")
        self._indices = _look_up(kept, self._pictures)
        self._regions = kept.regions
        self._held_out = np.array(kept.held_out, dtype=bool)
        self._digest = _digest(self.path)

    def __len__(self) -> int:
        return len(self._indices)

    def name(self, index: int) -> str:
        return self._pictures.name(int(self._indices[index]))

    def read(self, index: int, image_size: int) -> Image.Image:
        """The picture, or its region, as RGB of `image_size` px; raises `Unreadable`."""
        own = int(self._indices[index])
        region = self._regions.get(index)
        if region is None:
            return self._pictures.read(own, image_size)
        return region.cut(self._pictures.picture(own), image_size)

    def held_out(self, indices: np.ndarray) -> np.ndarray:
        return self._held_out[indices]

    def identity(self) -> dict[str, object]:
        """The manifest's path and digest, and the identity of what it names."""
        return {
            "kind": "manifest",
            "path": str(self.path),
            "digest": self._digest,
            "pictures": self._pictures.identity(),
        }


class _Kept:
    """What is needed of the rows that are kept, in little memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sources: list[str] = []
        self.names: list[str] = []
        self.numbers = array("H")  # the row's source
        self.held_out = bytearray()
        self.regions: dict[int, Region] = {}
        for line, row in enumerate(read_manifest(path), start=2):
            self._add(row, line)
        if not self.names:
            raise UserError(f"{path} keeps no picture: prepare with milder thresholds.*")

    def _add(self, row: Row, line: int) -> None:
        if row["verdict"] not in (KEEP, DROP):
            raise self._wrong(line, "verdict", row, f"{KEEP} or {DROP}")
        if row["verdict"] == DROP:
            return
        if row["split"] not in (TRAIN, HOLDOUT):
            raise self._wrong(line, "split", row, f"{TRAIN} or {HOLDOUT}")
        if not row["source"]:
            raise self._wrong(line, "source", row, "a folder or an archive")
        if row.get("region"):
            try:
                self.regions[len(self.names)] = Region.parse(row["region"])
            except ValueError:
                raise self._wrong(line, "region", row, "left top side angle") from None
        if row["source"] not in self.sources:
            self.sources.append(row["source"])
        self.numbers.append(self.sources.index(row["source"]))
        self.names.append(row["name"])
        self.held_out.append(row["split"] == HOLDOUT)

    def _wrong(self, line: int, column: str, row: Row, wanted: str) -> UserError:
        value = row[column]
        return UserError(f"{self.path} has {column}={value!r} in line {line}: write {wanted}")


def _look_up(kept: _Kept, pictures: ConcatPictures) -> np.ndarray:
    """Index of each kept name among the joined pictures: int64, (n,)."""
    indices = np.empty(len(kept.names), dtype=np.int64)
    starts = np.cumsum([0, *map(len, pictures.sources)])
    missing: list[str] = []
    for row, (number, name) in enumerate(zip(kept.numbers, kept.names, strict=True)):
        source = pictures.sources[number]
        own = bisect_left(range(len(source)), name, key=source.name)
        if own == len(source) or source.name(own) != name:
            missing.append(name)
        else:
            indices[row] = starts[number] + own
    if missing:
        raise UserError(
            f"{kept.path} names {len(missing):,} pictures that are not there any more, such as "
            f"{missing[0]!r}: prepare again"
        )
    return indices


def _tame(cell: str) -> str:
    return f"{HERE}{cell}" if cell.startswith((*FORMULA, HERE)) else cell


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
