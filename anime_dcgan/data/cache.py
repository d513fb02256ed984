"""Cache of a source: every picture decoded once, into one memory-mapped file of uint8.

A cache is a folder `<name>-<hash>` that holds `faces.npy` (the pictures), `indices.npy` (the source
index of each row), `digests.npy` (a hash of its pixels), `unreadable.txt` (what was left out, and
why) and `source.json` (what it was made from). It is built under another name beside that and
renamed when whole, so a folder with the final name is a finished one however a build ends.
"""

import errno
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from anime_dcgan.data.pool import cores, in_order, with_progress
from anime_dcgan.data.source import Source, Unreadable
from anime_dcgan.system import scratch
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import sync

CACHE_VERSION = 2
"""To be raised whenever the same source would give other bytes, so that caches are rebuilt."""

POOL_FROM = 500
"""Fewer pictures than this are decoded faster than worker processes start."""

CHUNK_PICTURES = 256
CHUNK_BYTES = 4 * 1024**2
"""Max pictures, or bytes, that are decoded at a time."""

FULL = (errno.ENOSPC, errno.EDQUOT)

STAGING = ".building"


@dataclass(frozen=True, eq=False)
class FaceCache:
    """Decoded pictures: `images[row]` is picture `indices[row]`; unreadable ones have no row."""

    folder: Path
    images: np.ndarray
    """Read-only memory map, uint8, (n, image_size, image_size, 3), values 0..255."""
    unreadable: int
    indices: np.ndarray
    """int64, (n,), increasing."""
    digests: np.ndarray
    """uint64, (n,): `digests` of the pictures."""


@dataclass(frozen=True)
class _Chunk:
    """A range of source indices; its readable pictures are in the file from row `start`."""

    start: int
    digests: np.ndarray
    indices: list[int]
    unreadable: list[tuple[str, str]]
    """Name and reason of each unreadable picture."""


def open_cache(
    source: Source, image_size: int, cache_dir: Path, workers: int | None = None
) -> FaceCache:
    """Return the cache of `source` at `image_size` px below `cache_dir`; build it if needed.

    `workers` processes decode (default: one for each core this process may use; 0 or 1: none but
    this one); fewer than `POOL_FROM` pictures are decoded here. A process builds one cache at a
    time; several processes may build the same one. Raises `UserError` where no picture can be read,
    and where the folder cannot be written or has no room.
    """
    made_from = _made_from(source, image_size)
    folder = Path(cache_dir).absolute() / _folder_name(made_from, source)
    cache = _load(folder, made_from)
    if cache is not None:
        return cache
    _Build(source, image_size, folder, made_from, workers).run()
    cache = _load(folder, made_from)
    assert cache is not None, f"{folder} was removed as soon as it was built"
    return cache


def _made_from(source: Source, image_size: int) -> dict[str, object]:
    """Return everything that a cache depends on, in the form that JSON gives back."""
    made_from = {
        "cache_version": CACHE_VERSION,
        "image_size": image_size,
        "identity": source.identity(),
    }
    return json.loads(json.dumps(made_from))


def _folder_name(made_from: dict[str, object], source: Source) -> str:
    """Return the last part of the source's path, or its kind, with a hash of its identity."""
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    identity = source.identity()
    called = Path(str(identity.get("path") or identity.get("kind", ""))).stem
    readable = re.sub(r"[^\w-]+", "-", called).strip("-")[:40]
    return f"{readable or 'faces'}-{digest[:12]}"


def _load(folder: Path, made_from: dict[str, object]) -> FaceCache | None:
    """Load the cache in `folder`; None if it is absent, damaged or made from another source."""
    try:
        record = json.loads((folder / "source.json").read_text(encoding="utf-8"))
        if record["made_from"] != made_from:
            return None
        faces = folder / "faces.npy"
        images = np.load(faces, mmap_mode="r")
        indices = np.load(folder / "indices.npy")
        digests = np.load(folder / "digests.npy")
        whole = (
            faces.stat().st_size == record["faces_bytes"]
            and list(images.shape) == record["shape"]
            and images.dtype == np.uint8
            and indices.shape == images.shape[:1]
            and indices.dtype == np.int64
            and digests.shape == images.shape[:1]
            and digests.dtype == np.uint64
        )
        if not whole:
            return None
        return FaceCache(folder, images, int(record["unreadable"]), indices, digests)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


@dataclass
class _Build:
    """A build of a cache: decode, write, and rename into place."""

    source: Source
    image_size: int
    folder: Path
    made_from: dict[str, object]
    workers: int | None
    indices: list[int] = field(default_factory=list)
    digests: list[np.ndarray] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def run(self) -> None:
        count = len(self.source)
        if count == 0:
            raise UserError(f"{self._source_name()} holds no pictures")
        staging = self._make_staging()
        try:
            self._write_faces(staging / "faces.npy", count)
            if not self.indices:
                raise self._none_readable()
            with self._storage_errors():
                self._write_records(staging)
                _publish(staging, self.folder, self.made_from)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _write_faces(self, path: Path, count: int) -> None:
        """Write each chunk where it lies if all pictures can be read; then close the gaps."""
        with self._storage_errors(), path.open("w+b") as faces:
            self._write_header(faces, count)
            faces.flush()
            header = faces.tell()
            starts = self._gather(path, header)
            if self.unreadable:
                self._close_gaps(faces, header, starts)
            self._write_header(faces, len(self.indices))
            _flush(faces)

    def _gather(self, path: Path, header: int) -> list[tuple[int, int]]:
        """Decode everything into the file; return the first row and the pictures of each chunk."""
        starts = []
        with (
            closing(self._chunks(path, header)) as chunks,
            closing(
                with_progress(chunks, len(self.source), "decoding", self._source_name(), _count)
            ) as progress,
        ):
            for chunk in progress:
                starts.append((chunk.start, len(chunk.indices)))
                self.digests.append(chunk.digests)
                self.indices += chunk.indices
                self.unreadable += chunk.unreadable
        return starts

    def _close_gaps(
        self, faces: io.BufferedRandom, header: int, starts: list[tuple[int, int]]
    ) -> None:
        """Move the pictures of each chunk up to the end of the chunk before it."""
        row, end = self._picture_bytes(), 0
        for start, count in starts:
            faces.seek(header + start * row)
            pictures = faces.read(count * row)
            faces.seek(header + end * row)
            faces.write(pictures)
            end += count
        faces.truncate(header + end * row)

    def _source_name(self) -> str:
        return str(self.source.identity().get("path") or f"data={self.source.identity()['kind']}")

    def _picture_bytes(self) -> int:
        return self.image_size**2 * 3

    def _bytes_needed(self) -> int:
        return len(self.source) * self._picture_bytes()

    def _make_staging(self) -> Path:
        """Create an empty folder named after this machine and process; remove abandoned ones."""
        cache_dir = self.folder.parent
        with self._storage_errors():
            cache_dir.mkdir(parents=True, exist_ok=True)
            scratch.remove_abandoned(cache_dir, STAGING)
            free = shutil.disk_usage(cache_dir).free
            if free < self._bytes_needed():
                raise self._no_room(free)
            staging = cache_dir / scratch.owned_name(STAGING)
            staging.mkdir()
            return staging

    def _no_room(self, free: int) -> UserError:
        return UserError(
            f"the cache of decoded pictures needs {self._bytes_needed():,} bytes, and "
            f"{self.folder.parent} has {free:,} free:\n"
            "make room there, or name another folder with data.cache_dir=..."
        )

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        """Turn errors of the file system into `UserError`."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise self._no_room(shutil.disk_usage(self.folder.parent).free) from error
            raise UserError(
                f"cannot write the cache of decoded pictures in {self.folder.parent}: "
                f"{error.strerror or error}\nname another folder with data.cache_dir=..."
            ) from error

    def _write_header(self, faces: io.BufferedRandom, count: int) -> None:
        """Write the .npy header for `count` rows; numpy pads it to one length for any count."""
        shape = (count, self.image_size, self.image_size, 3)
        faces.seek(0)
        np.lib.format.write_array_header_1_0(
            faces, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )

    def _write_records(self, staging: Path) -> None:
        """Write everything except the pictures, `source.json` last."""
        _write_array(staging / "indices.npy", np.array(self.indices, dtype=np.int64))
        _write_array(staging / "digests.npy", np.concatenate(self.digests))
        _write_text(staging / "unreadable.txt", self._unreadable_lines())
        record = {
            "made_from": self.made_from,
            "shape": [len(self.indices), self.image_size, self.image_size, 3],
            "faces_bytes": (staging / "faces.npy").stat().st_size,
            "unreadable": len(self.unreadable),
        }
        _write_text(staging / "source.json", json.dumps(record, indent=2) + "\n")
        sync(staging)

    def _unreadable_lines(self) -> str:
        return "".join(f"{_one_line(name)}\t{reason}\n" for name, reason in self.unreadable)

    def _none_readable(self) -> UserError:
        """Write the list of reasons next to where the cache would have been."""
        reasons = self.folder.with_name(f"{self.folder.name}-unreadable.txt")
        with self._storage_errors():
            _write_text(reasons, self._unreadable_lines())
        first = "; ".join(f"{_one_line(name)}: {reason}" for name, reason in self.unreadable[:3])
        return UserError(
            f"none of {len(self.unreadable):,} pictures of {self._source_name()} could be read "
            f"({first})\nthe reasons are in {reasons}"
        )

    def _chunks(self, path: Path, header: int) -> Generator[_Chunk, None, None]:
        """Decode the source into the file behind its header, in this process or in workers."""
        count = len(self.source)
        size = max(1, min(CHUNK_PICTURES, CHUNK_BYTES // self._picture_bytes()))
        ranges = [range(start, min(start + size, count)) for start in range(0, count, size)]
        workers = cores() if self.workers is None else self.workers
        work = partial(_decode, self.source, self.image_size, path, header)
        return in_order(work, ranges, workers if count >= POOL_FROM else 1, "data.workers")


def _decode(source: Source, image_size: int, path: Path, header: int, part: range) -> _Chunk:
    """Decode a range of pictures into a file that others write to as well.

    Handing them back took longer than decoding small ones (benchmarks/results/training.md).
    """
    images = np.empty((len(part), image_size, image_size, 3), np.uint8)
    indices: list[int] = []
    unreadable: list[tuple[str, str]] = []
    for index in part:
        try:
            images[len(indices)] = np.asarray(source.read(index, image_size))
            indices.append(index)
        except Unreadable as error:
            unreadable.append((source.name(index), _one_line(str(error))))
    row, images = images[0].nbytes, images[: len(indices)]
    with path.open("r+b") as faces:
        faces.seek(header + part.start * row)
        faces.write(images.data)
    return _Chunk(part.start, digests(images), indices, unreadable)


def digests(images: np.ndarray) -> np.ndarray:
    """Return a hash of the pixels of each picture, uint64 of shape (n,)."""
    hashes = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
    return np.frombuffer(b"".join(hashes), "<u8").astype(np.uint64)


def _count(chunk: _Chunk) -> tuple[int, int]:
    """Return the number of pictures in a chunk, and how many of them are unreadable."""
    return len(chunk.indices) + len(chunk.unreadable), len(chunk.unreadable)


def _publish(staging: Path, folder: Path, made_from: dict[str, object]) -> None:
    """Rename `staging` to `folder`, unless another process was first with a complete cache."""
    try:
        staging.rename(folder)
    except OSError:
        if _load(folder, made_from) is not None:
            return
        damaged = staging.with_name(f"{staging.name}-damaged")
        folder.rename(damaged)
        staging.rename(folder)
        scratch.remove(damaged)
    sync(folder.parent)


def _one_line(text: str) -> str:
    return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(text)
        _flush(file)


def _write_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)
        _flush(file)


def _flush(file: io.BufferedWriter | io.BufferedRandom | io.TextIOWrapper) -> None:
    """Flush to the disk, so that a later rename cannot survive a power cut without the data."""
    file.flush()
    os.fsync(file.fileno())
