"""Scan every picture once, in worker processes, in chunks that survive a crash.

A scan is a folder of chunks; a chunk holds the measurements of a range of pictures and the
descriptors of their faces, and is renamed into place when complete. After a crash
the same command scans only the missing chunks; after a change of thresholds it scans nothing.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anime_dcgan.cleaning import duplicates, image_stats, outliers
from anime_dcgan.cleaning.crop import FaceFinder
from anime_dcgan.data.cache_build import digests
from anime_dcgan.data.decoding import centre_square, fit
from anime_dcgan.data.pool import cores, in_order, with_progress
from anime_dcgan.data.region import Region
from anime_dcgan.data.source import Pictures, Unreadable
from anime_dcgan.system.errors import UserError, explain_os_error, reason_of
from anime_dcgan.system.files import (
    atomic_write,
    remove_abandoned_partials,
    sync,
    write_json,
)

SCAN_VERSION = 3
"""Incremented whenever a picture would be measured differently; older scans are then ignored."""

CHUNK = 2048  # pictures
SAMPLE = 4000  # pictures that the outlier model is fitted to
BATCH = 256  # faces measured at a time
COLOURS = (8, 8, 3)  # coarse colours of a face: rows, columns, channels

READ, UNREADABLE, FACELESS = 0, 1, 2

RECORD = np.dtype(
    [
        ("index", "i8"),  # picture in the source
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
        ("outlier_score", "f4"),
    ]
)


@dataclass(frozen=True, eq=False)
class ScanChunk:
    """The measurements of a range of pictures; one row per face."""

    records: np.ndarray
    """`RECORD`, (n,)"""
    descriptors: np.ndarray
    """int8, (n, duplicates.DIMENSIONS)"""
    colours: np.ndarray
    """uint8, (n, *COLOURS)"""
    problems: dict[int, str]
    """Reasons why pictures could not be read, by index."""


@dataclass(frozen=True, eq=False)
class Scan:
    """All chunks of a finished scan; `records` are in memory, the rest is read when needed."""

    pictures: Pictures
    folder: Path
    starts: np.ndarray
    """The first row of each chunk, and the number of rows."""
    records: np.ndarray
    problems: dict[int, str]

    def descriptors(self, rows: np.ndarray) -> np.ndarray:
        """Return the descriptors, int8 (m, duplicates.DIMENSIONS), of rows, int64 (m,)."""
        return self._stored("descriptors", rows, np.zeros(duplicates.DIMENSIONS, dtype=np.int8))

    def colours(self, rows: np.ndarray) -> np.ndarray:
        """Return the coarse colours, uint8 (m, *COLOURS), of rows, int64 (m,)."""
        return self._stored("colours", rows, np.zeros(COLOURS, dtype=np.uint8))

    def _stored(self, name: str, rows: np.ndarray, one: np.ndarray) -> np.ndarray:
        """Return rows of an array that each chunk has, whose rows are like `one`."""
        found = np.empty((len(rows), *one.shape), dtype=one.dtype)
        chunks = np.searchsorted(self.starts, rows, side="right") - 1
        for chunk in np.unique(chunks):
            in_chunk = np.flatnonzero(chunks == chunk)
            path = _chunk_folder(self.folder, int(chunk)) / f"{name}.npy"
            stored = np.load(path, mmap_mode="r")
            found[in_chunk] = stored[rows[in_chunk] - self.starts[chunk]]
        return found

    def face(self, row: int) -> np.ndarray:
        """Return the decoded face of a row: uint8 (SIDE, SIDE, 3), black if unreadable."""
        record = self.records[row]
        try:
            picture = self.pictures.picture(int(record["index"]))
        except (Unreadable, OSError):
            return np.zeros((image_stats.SIDE, image_stats.SIDE, 3), dtype=np.uint8)
        region = region_of(record)
        square = fit(centre_square(picture), image_stats.SIDE)
        return np.asarray(square if region is None else region.cut(picture, image_stats.SIDE))


def region_of(record: np.void) -> Region | None:
    """Return the region of a record, or None for the centre square of the picture."""
    left, top, side, angle = map(float, record["region"])
    return Region(left, top, side, angle) if side > 0 else None


def scan(
    pictures: Pictures, cache_dir: Path, finder: FaceFinder | None, workers: int | None, name: str
) -> Scan:
    """Scan all pictures, except those that an earlier scan in `cache_dir` has covered.

    With a `finder`, every face that it finds is measured. Raises `UserError` if no picture can be
    read, or if the folder cannot be written.
    """
    key = {
        "version": SCAN_VERSION,
        "pictures": pictures.identity(),
        "crop": finder.settings() if finder else None,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir / digest
    starts = range(0, len(pictures), CHUNK)
    ranges = [range(start, min(start + CHUNK, len(pictures))) for start in starts]
    workers = cores() if workers is None else workers
    with explain_os_error(f"{folder} cannot be written", "use another out=..."):
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned_partials(folder)
        missing = [number for number in range(len(ranges)) if not _is_complete(folder, number)]
        if missing:
            model = _load_or_fit_model(pictures, finder, folder, workers, name)
            work = partial(_scan_chunk, pictures, finder, model, folder)
            jobs = [(number, ranges[number]) for number in missing]
            total = sum(len(indices) for _, indices in jobs)
            results = in_order(work, jobs, workers, "workers")
            for _ in with_progress(results, total, "scanning", name, lambda counts: counts):
                pass
        return _open(pictures, folder, len(ranges))


def _load_or_fit_model(
    pictures: Pictures, finder: FaceFinder | None, folder: Path, workers: int, name: str
) -> outliers.OutlierModel:
    """Return the outlier model of the set, fitted to a sample and stored next to the chunks."""
    path = folder / "outlier_model.npz"
    if path.exists():
        return _load_model(path)
    chosen = np.sort(np.random.default_rng(0).permutation(len(pictures))[:SAMPLE])
    jobs = [chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)]
    results = in_order(partial(_read_sample, pictures, finder), jobs, workers, "workers")
    size = partial(_sample_size, len(chosen))
    sampled = list(with_progress(results, len(chosen), "sampling", name, size))
    faces = np.concatenate([batch for batch, _ in sampled])
    faces = faces[np.unique(digests(faces), return_index=True)[1]]
    if len(faces) == 0:
        raise UserError(f"none of {len(chosen):,} pictures of {name} has a readable face")
    model = outliers.fit_outlier_model(faces)
    with atomic_write(path) as partial_path:
        with partial_path.open("wb") as file:
            np.savez(file, **asdict(model))
        sync(partial_path)
    return model


def _load_model(path: Path) -> outliers.OutlierModel:
    """Load a model; scalars become Python floats again, since numpy's would round differently."""
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    values: dict[str, Any] = {
        key: array if array.ndim else array.item() for key, array in arrays.items()
    }
    return outliers.OutlierModel(**values)


def _sample_size(total: int, batch: tuple[np.ndarray, int]) -> tuple[int, int]:
    return min(batch[1], total), 0


def _read_sample(
    pictures: Pictures, finder: FaceFinder | None, indices: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return the faces of some pictures, and the number of pictures."""
    found = [face for index in indices for _, face in _read_faces(pictures, finder, int(index))[1]]
    faces = (
        np.stack(found) if found else np.empty((0, image_stats.SIDE, image_stats.SIDE, 3), np.uint8)
    )
    return faces, len(indices)


def _scan_chunk(
    pictures: Pictures,
    finder: FaceFinder | None,
    model: outliers.OutlierModel,
    folder: Path,
    job: tuple[int, range],
) -> tuple[int, int]:
    """Measure and write one chunk; return its number of pictures, and of unreadable ones."""
    number, indices = job
    chunk = measure_pictures(pictures, finder, model, indices)
    problems = {str(index): problem for index, problem in chunk.problems.items()}
    with (
        suppress(FileExistsError),  # another process was faster
        atomic_write(_chunk_folder(folder, number), replace=False) as partial_folder,
    ):
        partial_folder.mkdir()
        np.save(partial_folder / "descriptors.npy", chunk.descriptors)
        np.save(partial_folder / "colours.npy", chunk.colours)
        np.save(partial_folder / "records.npy", chunk.records)
        write_json(partial_folder / "problems.json", problems)
        for path in (*partial_folder.glob("*"), partial_folder):
            sync(path)
    return len(indices), len(chunk.problems)


def measure_pictures(
    pictures: Pictures,
    finder: FaceFinder | None,
    model: outliers.OutlierModel,
    indices: Iterable[int],
) -> ScanChunk:
    """Measure each face of the pictures `indices`."""
    records: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    problems: dict[int, str] = {}
    for index in indices:
        problem, found = _read_faces(pictures, finder, index)
        if problem is not None:
            problems[index] = problem
        records += [record for record, _ in found] or [_empty(index, problem)]
        faces += [face for _, face in found] or [
            np.zeros((image_stats.SIDE, image_stats.SIDE, 3), np.uint8)
        ]
    table, pixels = np.stack(records), np.stack(faces)
    descriptors = np.empty((len(table), duplicates.DIMENSIONS), dtype=np.int8)
    colours = np.empty((len(table), *COLOURS), dtype=np.uint8)
    for start in range(0, len(table), BATCH):
        batch = slice(start, start + BATCH)
        descriptors[batch] = duplicates.describe(pixels[batch])
        colours[batch] = image_stats.shrink(pixels[batch], image_stats.SIDE // COLOURS[0])
        for name in ("brightness", "contrast", "colour", "sharpness"):
            table[name][batch] = getattr(image_stats, name)(pixels[batch])
        table["outlier_score"][batch] = model.scores(pixels[batch])
    return ScanChunk(table, descriptors, colours, problems)


def _read_faces(
    pictures: Pictures, finder: FaceFinder | None, index: int
) -> tuple[str | None, list[tuple[np.ndarray, np.ndarray]]]:
    """Return why the picture cannot be read, or None and the record and pixels of each face."""
    try:
        picture = pictures.picture(index)
        size = pictures.bytes(index)
    except (Unreadable, OSError) as error:
        return reason_of(error), []
    regions = [None] if finder is None else finder.regions(picture)
    return None, [_cut_face(picture, size, index, region) for region in regions]


def _cut_face(
    picture: Image.Image, size: int, index: int, region: Region | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return record and pixels of one face: of a region, or of the centre square."""
    record = np.zeros((), dtype=RECORD)
    record["index"], record["bytes"] = index, size
    record["width"], record["height"] = picture.size
    if region is None:
        face = np.asarray(fit(centre_square(picture), image_stats.SIDE))
        record["pixels"] = _digest(picture.size, picture.tobytes())
    else:
        face = np.asarray(region.cut(picture, image_stats.SIDE))
        record["region"] = region.left, region.top, region.side, region.angle
        record["pixels"] = _digest(face.shape[:2], face.tobytes())
    return record, face


def _empty(index: int, problem: str | None) -> np.ndarray:
    record = np.zeros((), dtype=RECORD)
    record["index"] = index
    record["state"] = FACELESS if problem is None else UNREADABLE
    return record


def _digest(size: tuple[int, ...], pixels: bytes) -> np.ndarray:
    digest = hashlib.blake2b(b"%d %d " % (size[0], size[1]), digest_size=16)
    digest.update(pixels)
    return np.frombuffer(digest.digest(), dtype="<u8")


def _chunk_folder(folder: Path, number: int) -> Path:
    return folder / f"chunk-{number:06d}"


def _is_complete(folder: Path, number: int) -> bool:
    return (_chunk_folder(folder, number) / "records.npy").exists()


def _open(pictures: Pictures, folder: Path, count: int) -> Scan:
    chunks = [np.load(_chunk_folder(folder, number) / "records.npy") for number in range(count)]
    problems: dict[int, str] = {}
    for number in range(count):
        text = (_chunk_folder(folder, number) / "problems.json").read_text(encoding="utf-8")
        problems |= {int(index): problem for index, problem in json.loads(text).items()}
    starts = np.cumsum([0, *map(len, chunks)])
    return Scan(pictures, folder, starts, np.concatenate(chunks), problems)
