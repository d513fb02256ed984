"""Look at every picture once: in processes, in parts that are kept, so that it can be gone on with.

A scan is a folder of parts; a part holds what was measured of a range of pictures and the
descriptors of their faces, and is renamed into place when whole. The same command after a crash
does what is left, and after a change of thresholds nothing at all.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anime_dcgan.cleaning import copies, image_stats, outliers
from anime_dcgan.cleaning.crop import FaceFinder
from anime_dcgan.data.cache import digests
from anime_dcgan.data.decoding import centre_square, fit
from anime_dcgan.data.pool import cores, in_order, with_progress
from anime_dcgan.data.region import Region
from anime_dcgan.data.source import Pictures, Unreadable
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import sync, write_json

SCAN_VERSION = 1
"""Raise it whenever the same picture would be measured otherwise: older scans are then left."""

PART = 2048  # pictures
SAMPLE = 4000  # pictures that tell what is usual
BATCH = 256  # faces that are measured together

READ, UNREADABLE, FACELESS = 0, 1, 2

RECORD = np.dtype(
    [
        ("index", "i8"),  # of the picture in the source
        ("state", "u1"),  # READ, UNREADABLE or FACELESS
        ("pixels", "u8", 2),  # BLAKE2b of size and pixels, 128 bits
        ("width", "i4"),
        ("height", "i4"),
        ("bytes", "i8"),
        ("region", "f8", 4),  # left, top, side, angle; side 0: the centre square
        ("brightness", "f4"),
        ("contrast", "f4"),
        ("colour", "f4"),
        ("sharpness", "f4"),
        ("oddness", "f4"),
    ]
)


@dataclass(frozen=True, eq=False)
class ScanChunk:
    """What was seen of a range of pictures; a row for each face."""

    records: np.ndarray
    """`RECORD`, (n,)"""
    descriptors: np.ndarray
    """int8, (n, copies.DIMENSIONS)"""
    problems: dict[int, str]
    """Why a picture, by its index, could not be read."""


@dataclass(frozen=True, eq=False)
class Scan:
    """All parts of a finished scan; `records` are in memory, the rest is read where needed."""

    pictures: Pictures
    folder: Path
    starts: np.ndarray
    """The first row of each part, and the number of rows."""
    records: np.ndarray
    problems: dict[int, str]

    def descriptors(self, rows: np.ndarray) -> np.ndarray:
        """int8 (m, copies.DIMENSIONS) of the rows, int64 (m,)."""
        found = np.empty((len(rows), copies.DIMENSIONS), dtype=np.int8)
        parts = np.searchsorted(self.starts, rows, side="right") - 1
        for part in np.unique(parts):
            here = np.flatnonzero(parts == part)
            kept = np.load(_path(self.folder, int(part)) / "descriptors.npy", mmap_mode="r")
            found[here] = kept[rows[here] - self.starts[part]]
        return found

    def face(self, row: int) -> np.ndarray:
        """Decode the face of a row: uint8 of shape (SIDE, SIDE, 3), black if unreadable."""
        record = self.records[row]
        try:
            picture = self.pictures.picture(int(record["index"]))
        except (Unreadable, OSError):
            return np.zeros((image_stats.SIDE, image_stats.SIDE, 3), dtype=np.uint8)
        region = region_of(record)
        square = fit(centre_square(picture), image_stats.SIDE)
        return np.asarray(square if region is None else region.cut(picture, image_stats.SIDE))


def region_of(record: np.void) -> Region | None:
    """The region that a record is of, None for the centre square of the whole picture."""
    left, top, side, angle = map(float, record["region"])
    return Region(left, top, side, angle) if side > 0 else None


def scan(
    pictures: Pictures, cache_dir: Path, finder: FaceFinder | None, workers: int | None, name: str
) -> Scan:
    """Look at all pictures, or at those that an earlier scan in `cache_dir` has not looked at.

    With a `finder`, at each face that it finds. Raises `UserError` where nothing can be read, and
    where the folder cannot be written.
    """
    key = {
        "version": SCAN_VERSION,
        "pictures": pictures.identity(),
        "crop": finder.settings() if finder else None,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir / digest
    ranges = [range(at, min(at + PART, len(pictures))) for at in range(0, len(pictures), PART)]
    workers = cores() if workers is None else workers
    with _storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        missing = [number for number in range(len(ranges)) if not _is_whole(folder, number)]
        if missing:
            usual = _usual(pictures, finder, folder, workers, name)
            look = partial(_look_and_keep, pictures, finder, usual, folder)
            jobs = [(number, ranges[number]) for number in missing]
            total = sum(len(part) for _, part in jobs)
            results = in_order(look, jobs, workers, "workers")
            for _ in with_progress(results, total, "looking at", name, lambda counts: counts):
                pass
        return _open(pictures, folder, len(ranges))


def _usual(
    pictures: Pictures, finder: FaceFinder | None, folder: Path, workers: int, name: str
) -> outliers.Usual:
    """What the faces of the set have in common, from a sample of them; kept beside the parts."""
    path = folder / "usual.npz"
    if path.exists():
        with np.load(path) as kept:
            arrays = {key: kept[key] for key in kept.files}
        values: dict[str, Any] = {  # a float as it was: one of numpy would give other last bits
            key: array if array.ndim else array.item() for key, array in arrays.items()
        }
        return outliers.Usual(**values)
    chosen = np.sort(np.random.default_rng(0).permutation(len(pictures))[:SAMPLE])
    jobs = [chosen[at : at + BATCH] for at in range(0, len(chosen), BATCH)]
    results = in_order(partial(_sample, pictures, finder), jobs, workers, "workers")
    size = partial(_sampled, len(chosen))
    found = list(with_progress(results, len(chosen), "sampling", name, size))
    faces = np.concatenate([part for part, _ in found])
    faces = faces[np.unique(digests(faces), return_index=True)[1]]
    if len(faces) == 0:
        raise UserError(f"none of {len(chosen):,} pictures of {name} holds a face that can be read")
    usual = outliers.fit_usual(faces)
    with _renamed(path) as beside, beside.open("wb") as file:
        np.savez(file, **asdict(usual))
    return usual


def _sampled(total: int, part: tuple[np.ndarray, int]) -> tuple[int, int]:
    return min(part[1], total), 0


def _sample(
    pictures: Pictures, finder: FaceFinder | None, indices: np.ndarray
) -> tuple[np.ndarray, int]:
    """The faces of some pictures, and how many pictures that was."""
    found = [face for index in indices for _, face in _seen(pictures, finder, int(index))[1]]
    faces = (
        np.stack(found) if found else np.empty((0, image_stats.SIDE, image_stats.SIDE, 3), np.uint8)
    )
    return faces, len(indices)


def _look_and_keep(
    pictures: Pictures,
    finder: FaceFinder | None,
    usual: outliers.Usual,
    folder: Path,
    job: tuple[int, range],
) -> tuple[int, int]:
    """Look at one part and write it; how many pictures it has, and how many are unreadable."""
    number, indices = job
    part = look(pictures, finder, usual, indices)
    with _renamed(_path(folder, number)) as beside:
        beside.mkdir()
        np.save(beside / "descriptors.npy", part.descriptors)
        np.save(beside / "records.npy", part.records)
        write_json(beside / "problems.json", {str(at): why for at, why in part.problems.items()})
    return len(indices), len(part.problems)


def look(
    pictures: Pictures, finder: FaceFinder | None, usual: outliers.Usual, indices: Iterable[int]
) -> ScanChunk:
    """Measure each face of the pictures `indices`."""
    records: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    problems: dict[int, str] = {}
    for index in indices:
        problem, found = _seen(pictures, finder, index)
        if problem is not None:
            problems[index] = problem
        records += [record for record, _ in found] or [_empty(index, problem)]
        faces += [face for _, face in found] or [
            np.zeros((image_stats.SIDE, image_stats.SIDE, 3), np.uint8)
        ]
    table, pixels = np.stack(records), np.stack(faces)
    described = np.empty((len(table), copies.DIMENSIONS), dtype=np.int8)
    for start in range(0, len(table), BATCH):
        batch = slice(start, start + BATCH)
        described[batch] = copies.describe(pixels[batch])
        for name in ("brightness", "contrast", "colour", "sharpness"):
            table[name][batch] = getattr(image_stats, name)(pixels[batch])
        table["oddness"][batch] = usual.oddness(pixels[batch])
    return ScanChunk(table, described, problems)


def _seen(
    pictures: Pictures, finder: FaceFinder | None, index: int
) -> tuple[str | None, list[tuple[np.ndarray, np.ndarray]]]:
    """Why the picture cannot be read, or its faces with what is known of them by themselves."""
    try:
        picture = pictures.picture(index)
        size = pictures.bytes(index)
    except (Unreadable, OSError) as error:
        return " ".join(str(error).split()) or type(error).__name__, []
    regions = [None] if finder is None else finder.regions(picture)
    return None, [_face(picture, size, index, region) for region in regions]


def _face(
    picture: Image.Image, size: int, index: int, region: Region | None
) -> tuple[np.ndarray, np.ndarray]:
    """One face, of the whole picture's centre or of a region."""
    record = np.zeros((), dtype=RECORD)
    record["index"], record["bytes"] = index, size
    record["width"], record["height"] = picture.size
    if region is None:
        face = np.asarray(fit(centre_square(picture), image_stats.SIDE))
        record["pixels"] = _pixels(picture.size, picture.tobytes())
    else:
        face = np.asarray(region.cut(picture, image_stats.SIDE))
        record["region"] = region.left, region.top, region.side, region.angle
        record["pixels"] = _pixels(face.shape[:2], face.tobytes())
    return record, face


def _empty(index: int, problem: str | None) -> np.ndarray:
    record = np.zeros((), dtype=RECORD)
    record["index"] = index
    record["state"] = FACELESS if problem is None else UNREADABLE
    return record


def _pixels(size: tuple[int, ...], pixels: bytes) -> np.ndarray:
    digest = hashlib.blake2b(b"%d %d " % (size[0], size[1]), digest_size=16)
    digest.update(pixels)
    return np.frombuffer(digest.digest(), dtype="<u8")


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}"


def _is_whole(folder: Path, number: int) -> bool:
    return (_path(folder, number) / "records.npy").exists()


def _open(pictures: Pictures, folder: Path, count: int) -> Scan:
    parts = [np.load(_path(folder, number) / "records.npy") for number in range(count)]
    problems: dict[int, str] = {}
    for number in range(count):
        text = (_path(folder, number) / "problems.json").read_text(encoding="utf-8")
        problems |= {int(at): why for at, why in json.loads(text).items()}
    starts = np.cumsum([0, *map(len, parts)])
    return Scan(pictures, folder, starts, np.concatenate(parts), problems)


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    """A name beside `path`, which is renamed to it at the end, unless another was first."""
    beside = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    yield beside
    for written in (*beside.glob("*"), beside):
        sync(written)
    if not path.exists():
        beside.rename(path)
        sync(path.parent)


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write in {folder}: {error.strerror or error}; name another folder with out=..."
        ) from error
