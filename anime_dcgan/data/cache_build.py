"""Building a cache: decoding a source into the files of a folder."""

import hashlib
import io
import json
import shutil
from collections.abc import Generator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from anime_dcgan.data.cache_files import flush, publish, write_array, write_text
from anime_dcgan.data.pool import cores, in_order, with_progress
from anime_dcgan.data.source import Source, Unreadable
from anime_dcgan.system import scratch
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import sync

MIN_PICTURES_FOR_WORKERS = 500
"""Fewer pictures are decoded faster than worker processes start."""

CHUNK_PICTURES = 256
CHUNK_BYTES = 4 * 1024**2
"""Max pictures and bytes of decoded pictures in a chunk."""

STAGING = ".building"


@dataclass(frozen=True)
class _Chunk:
    """A range of source indices; its readable pictures are in the file from row `start`."""

    start: int
    digests: np.ndarray
    indices: list[int]
    unreadable: list[tuple[str, str]]
    """Name and reason of each unreadable picture."""


@dataclass
class CacheBuild:
    """A build of a cache: decoding, writing, and renaming into place."""

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
                publish(staging, self.folder, self.made_from)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _write_faces(self, path: Path, count: int) -> None:
        """Write each chunk where it belongs if all pictures are readable; then close the gaps."""
        with self._storage_errors(), path.open("w+b") as faces:
            self._write_header(faces, count)
            faces.flush()
            header = faces.tell()
            starts = self._gather(path, header)
            if self.unreadable:
                self._close_gaps(faces, header, starts)
            self._write_header(faces, len(self.indices))
            flush(faces)

    def _gather(self, path: Path, header: int) -> list[tuple[int, int]]:
        """Decode all pictures into the file; return the first row and the length of each chunk."""
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
        """Move the pictures of each chunk to the end of the chunk before it."""
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
            self._check_space(shutil.disk_usage(cache_dir).free)
            staging = cache_dir / scratch.owned_name(STAGING)
            staging.mkdir()
            return staging

    def _check_space(self, free: int) -> None:
        if free < self._bytes_needed():
            raise UserError(
                f"the cache of decoded pictures needs {self._bytes_needed():,} bytes, but "
                f"{self.folder.parent} has {free:,} free:\n"
                "free some space, or use another data.cache_dir=..."
            )

    def _storage_errors(self) -> AbstractContextManager[None]:
        """Raise errors of the file system as `UserError`."""
        return explain_os_error(
            f"the cache of decoded pictures needs {self._bytes_needed():,} bytes, but "
            f"{self.folder.parent} cannot be written to",
            "use another data.cache_dir=...",
        )

    def _write_header(self, faces: io.BufferedRandom, count: int) -> None:
        """Write the .npy header for `count` rows; all headers have the same length."""
        shape = (count, self.image_size, self.image_size, 3)
        faces.seek(0)
        np.lib.format.write_array_header_1_0(
            faces, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )

    def _write_records(self, staging: Path) -> None:
        """Write everything except the pictures, `source.json` last."""
        write_array(staging / "indices.npy", np.array(self.indices, dtype=np.int64))
        write_array(staging / "digests.npy", np.concatenate(self.digests))
        write_text(staging / "unreadable.txt", self._unreadable_lines())
        record = {
            "made_from": self.made_from,
            "shape": [len(self.indices), self.image_size, self.image_size, 3],
            "faces_bytes": (staging / "faces.npy").stat().st_size,
            "unreadable": len(self.unreadable),
        }
        write_text(staging / "source.json", json.dumps(record, indent=2) + "\n")
        sync(staging)

    def _unreadable_lines(self) -> str:
        return "".join(f"{_one_line(name)}\t{reason}\n" for name, reason in self.unreadable)

    def _none_readable(self) -> UserError:
        """Write the list of reasons next to the missing cache, and return the error."""
        reasons = self.folder.with_name(f"{self.folder.name}-unreadable.txt")
        with self._storage_errors():
            write_text(reasons, self._unreadable_lines())
        first = "; ".join(f"{_one_line(name)}: {reason}" for name, reason in self.unreadable[:3])
        return UserError(
            f"none of {len(self.unreadable):,} pictures of {self._source_name()} could be read "
            f"({first})\nthe reasons are in {reasons}"
        )

    def _chunks(self, path: Path, header: int) -> Generator[_Chunk, None, None]:
        """Decode the source into the file after its header, in this process or in workers."""
        count = len(self.source)
        size = max(1, min(CHUNK_PICTURES, CHUNK_BYTES // self._picture_bytes()))
        ranges = [range(start, min(start + size, count)) for start in range(0, count, size)]
        workers = cores() if self.workers is None else self.workers
        workers = workers if count >= MIN_PICTURES_FOR_WORKERS else 1
        work = partial(_decode, self.source, self.image_size, path, header)
        return in_order(work, ranges, workers, "data.workers")


def _decode(source: Source, image_size: int, path: Path, header: int, span: range) -> _Chunk:
    """Decode a range of pictures into a file that other workers write to as well.

    Returning the pixels took longer than decoding small pictures (benchmarks/results/training.md).
    """
    images = np.empty((len(span), image_size, image_size, 3), np.uint8)
    indices: list[int] = []
    unreadable: list[tuple[str, str]] = []
    for index in span:
        try:
            images[len(indices)] = np.asarray(source.read(index, image_size))
            indices.append(index)
        except Unreadable as error:
            unreadable.append((source.name(index), _one_line(str(error))))
    row, images = images[0].nbytes, images[: len(indices)]
    with path.open("r+b") as faces:
        faces.seek(header + span.start * row)
        faces.write(images.data)
    return _Chunk(span.start, digests(images), indices, unreadable)


def digests(images: np.ndarray) -> np.ndarray:
    """Return a hash of the pixels of each picture, uint64 of shape (n,)."""
    hashes = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
    return np.frombuffer(b"".join(hashes), "<u8").astype(np.uint64)


def _count(chunk: _Chunk) -> tuple[int, int]:
    """Return the number of pictures in a chunk, and how many of them are unreadable."""
    return len(chunk.indices) + len(chunk.unreadable), len(chunk.unreadable)


def _one_line(text: str) -> str:
    return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")
