"""The manifest of a prepared set, and the faces that it keeps: `data=manifest`.

A manifest is a CSV file in UTF-8 with one row per picture (per face, if faces were cropped): its
location, the measurements, the verdict with its reasons, and the side of the split. It opens in a
spreadsheet, which may save it with other separators; the training reads `source`, `name`, `region`,
`verdict`, `split` and the column of `data.labels`, which may be edited.
"""

import csv
import hashlib
import io
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anime_dcgan.data.concat import ConcatPictures, concat_folders
from anime_dcgan.data.csv_file import find_separator
from anime_dcgan.data.label_file import no_column
from anime_dcgan.data.labels import CLUSTERS, FOLDERS
from anime_dcgan.data.region import Region
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import atomic_write
from anime_dcgan.system.reader import open_regular

COLUMNS = (
    *("source", "name", "region", "verdict", "reason", "split", "duplicate_of", "distance"),
    *("width", "height", "bytes", "pixels"),
    *("brightness", "contrast", "colour", "sharpness", "outlier_score"),
)
"""Columns that `prepare` measures; a person may add others, such as classes."""
CLUSTER = "cluster"
"""Column of the classes that `data.labels=clusters` names."""
REQUIRED = ("source", "name", "verdict", "split")
NAMES = ("name", "duplicate_of")
KEEP, DROP = "keep", "drop"
TRAIN, HOLDOUT = "train", "holdout"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Some spreadsheets evaluate cells that begin with one of these."""
ESCAPE = "./"
"""Prefix of names that begin like a formula, or with "./" already, as often in tar files."""

Row = dict[str, Any]
Key = tuple[str, str, str]
"""Source, name and region."""


def write_manifest(path: Path, rows: Iterable[Row], others: Sequence[str] = ()) -> None:
    """Write the rows (keys of `COLUMNS` and of the `others`) atomically. Raises OSError.

    File names that are not valid UTF-8 keep their bytes.
    """
    with (
        atomic_write(path) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.DictWriter(file, [*COLUMNS, *others])
        writer.writeheader()
        for row in rows:
            names = {key: _escape_formula(str(row[key])) for key in NAMES}
            writer.writerow({**row, **names})


def read_manifest(path: Path) -> Iterator[Row]:
    """Yield the rows as written, all values as text; raise `UserError` if it is not a manifest."""
    writes_one = "python -m anime_dcgan.prepare source=... out=... writes one"
    with (
        explain_os_error(f"the manifest {path} cannot be read", writes_one),
        open_regular(path) as raw,
        io.TextIOWrapper(raw, "utf-8-sig", "surrogateescape", newline="") as file,
    ):
        reader = csv.DictReader(file, delimiter=find_separator(file))
        try:
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{path} is not a manifest: it has no column {missing[0]} "
                    f"(commas, semicolons or tabs separate columns); {writes_one}"
                )
            for row in reader:
                names = {key: row.get(key) or "" for key in NAMES}
                yield {**row, **{key: name.removeprefix(ESCAPE) for key, name in names.items()}}
        except csv.Error as error:
            raise UserError(f"{path} is not a manifest: {error}") from None


@dataclass(frozen=True)
class OtherColumns:
    """The columns of a manifest that `prepare` does not measure, such as classes of a person."""

    names: list[str]
    cells: dict[Key, Row]

    @classmethod
    def read(cls, path: Path) -> "OtherColumns":
        """Return those of a manifest, none if it is missing. Raises `UserError` as it is read."""
        names: list[str] = []
        cells: dict[Key, Row] = {}
        for row in read_manifest(path) if path.exists() else ():
            names = names or [name for name in row if name and name not in COLUMNS]
            if not names:
                break
            cells[_key_of(row)] = {name: row[name] or "" for name in names}
        return cls(names, cells)

    def of(self, row: Row) -> Row:
        """Return the cells of the picture or face of a row; empty if it had no row before."""
        return self.cells.get(_key_of(row), {})


def _key_of(row: Row) -> Key:
    return str(row["source"]), str(row["name"]), str(row.get("region") or "")


class ManifestFaces:
    """The pictures that a manifest keeps, in its order, cropped to their regions if it has any.

    Raises `UserError` if the manifest or one of its pictures is missing.
    """

    def __init__(self, manifest: str | os.PathLike[str] | None) -> None:
        if manifest is None or str(manifest) in ("", "???"):
            raise UserError(
                "data=manifest needs a file: add data.manifest=FILE.csv, "
                "which python -m anime_dcgan.prepare source=... out=... writes"
            )
        self.path = Path(manifest).absolute()
        kept = _KeptRows(self.path)
        self._pictures = concat_folders(kept.sources, f"{self.path}: source ")
        self._indices = _find_pictures(kept, self._pictures)
        self._regions = kept.regions
        self._held_out = np.array(kept.held_out, dtype=bool)
        self._digest = kept.digest()

    def __len__(self) -> int:
        return len(self._indices)

    def name(self, index: int) -> str:
        return self._pictures.name(int(self._indices[index]))

    def read(self, index: int, image_size: int) -> Image.Image:
        """Return the picture, or its region, as RGB of `image_size` px; raise `Unreadable`."""
        own = int(self._indices[index])
        region = self._regions.get(index)
        if region is None:
            return self._pictures.read(own, image_size)
        return region.cut(self._pictures.picture(own), image_size)

    def held_out(self, indices: np.ndarray) -> np.ndarray:
        return self._held_out[indices]

    def classes(self, labels: str) -> list[str]:
        """Return the class of each picture, "" where it is unknown; raise `UserError`.

        `labels` is a column of the manifest, `clusters`, or `folders`, as of its sources.
        """
        if labels == FOLDERS:
            classes = list(self._pictures.classes(labels))
            return [classes[index] for index in self._indices]
        column = CLUSTER if labels == CLUSTERS else labels
        classes = []
        for row in read_manifest(self.path):
            if column not in row:
                raise self._no_column(labels, [name for name in row if name])
            if row["verdict"] == KEEP:
                classes.append(row[column] or "")
        if len(classes) != len(self):
            raise UserError(f"{self.path} has changed since it was opened: start again")
        return classes

    def _no_column(self, labels: str, columns: list[str]) -> UserError:
        if labels == CLUSTERS:
            return UserError(
                f"data.labels=clusters: {self.path} has no column {CLUSTER}: prepare again with "
                "clusters=12"
            )
        return no_column(labels, self.path, labels, [*columns, FOLDERS])

    def identity(self) -> dict[str, object]:
        """Return the manifest's path, a digest of what it keeps, and the identity of the pictures.

        Labels and measurements in other columns are not part of it.
        """
        return {
            "kind": "manifest",
            "path": str(self.path),
            "digest": self._digest,
            "pictures": self._pictures.identity(),
        }


class _KeptRows:
    """The kept rows of a manifest, in a compact form."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sources: list[str] = []
        self.names: list[str] = []
        self.source_indices = array("H")
        self.held_out = bytearray()
        self.regions: dict[int, Region] = {}
        for line, row in enumerate(read_manifest(path), start=2):
            self._add(row, line)
        if not self.names:
            raise UserError(f"{path} keeps no pictures: prepare with milder thresholds.*")

    def _add(self, row: Row, line: int) -> None:
        if row["verdict"] not in (KEEP, DROP):
            raise self._invalid(line, "verdict", row, f"{KEEP} or {DROP}")
        if row["verdict"] == DROP:
            return
        if row["split"] not in (TRAIN, HOLDOUT):
            raise self._invalid(line, "split", row, f"{TRAIN} or {HOLDOUT}")
        if not row["source"]:
            raise self._invalid(line, "source", row, "a folder or an archive")
        if row.get("region"):
            try:
                self.regions[len(self.names)] = Region.parse(row["region"])
            except ValueError:
                raise self._invalid(line, "region", row, "left top side angle") from None
        if row["source"] not in self.sources:
            self.sources.append(row["source"])
        self.source_indices.append(self.sources.index(row["source"]))
        self.names.append(row["name"])
        self.held_out.append(row["split"] == HOLDOUT)

    def digest(self) -> str:
        """Return a hash of the pictures, their regions and the split."""
        digest = hashlib.sha256()
        for index, name in enumerate(self.names):
            source = self.sources[self.source_indices[index]]
            values = (source, name, self.regions.get(index), self.held_out[index])
            digest.update(repr(values).encode() + b"\n")
        return digest.hexdigest()

    def _invalid(self, line: int, column: str, row: Row, expected: str) -> UserError:
        value = row[column]
        return UserError(f"{self.path} has {column}={value!r} in line {line}: use {expected}")


def _find_pictures(kept: _KeptRows, pictures: ConcatPictures) -> np.ndarray:
    """Return the index of each kept name among the pictures: int64, (n,)."""
    indices = np.empty(len(kept.names), dtype=np.int64)
    starts = np.cumsum([0, *map(len, pictures.sources)])
    missing: list[str] = []
    for row, (number, name) in enumerate(zip(kept.source_indices, kept.names, strict=True)):
        source = pictures.sources[number]
        own = bisect_left(range(len(source)), name, key=source.name)
        if own == len(source) or source.name(own) != name:
            missing.append(name)
        else:
            indices[row] = starts[number] + own
    if missing:
        raise UserError(
            f"{kept.path} names {len(missing):,} pictures that no longer exist, such as "
            f"{missing[0]!r}: prepare again"
        )
    return indices


def _escape_formula(name: str) -> str:
    return f"{ESCAPE}{name}" if name.startswith((*FORMULA_STARTS, ESCAPE)) else name
