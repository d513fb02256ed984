"""Building a cache: decoding a source into the files of a folder."""

import contextlib
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

from anime_dcgan.data.cache_files import UNREADABLE, flush, publish, write_array, write_text
from anime_dcgan.data.chunks import Chunk, read_chunks, write_chunks
from anime_dcgan.data.pool import cores, in_order, with_progress
from anime_dcgan.data.source import HasCount, Source, Unreadable
from anime_dcgan.system import scratch
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import sync
from anime_dcgan.system.memory import check_memory, free_memory

MIN_PICTURES_FOR_WORKERS = 500
"""Fewer pictures are decoded faster than worker processes start."""

CHUNK_PICTURES = 256
CHUNK_BYTES = 4 * 1024**2
"""Max pictures and bytes of decoded pictures in a chunk."""

MEMORY_PER_PICTURE = 80  # bytes of its index and digest
ROOM = 0.95
"""Fraction of the free disk or memory that a suggested number of pictures takes."""

STAGING = ".building"


@dataclass
class CacheBuild:
    """A build of a cache: decoding, writing, and renaming into place."""

    source: Source
    image_size: int
    folder: Path
    made_from: dict[str, object]
    workers: int | None
    chunks: list[Chunk] = field(default_factory=list)

    def run(self) -> None:
        count = len(self.source)
        if count == 0:
            raise UserError(f"{self._source_name()} holds no pictures")
        staging = self._make_staging()
        try:
            self.chunks = read_chunks(staging)
            self._write_faces(staging / "faces.npy", count)
            if not any(chunk.indices for chunk in self.chunks):
                raise self._none_readable()
            with self._storage_errors():
                self._write_records(staging)
                publish(staging, self.folder, self.made_from)
        except KeyboardInterrupt:
            self._keep(staging)
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _keep(self, staging: Path) -> None:
        """Keep the chunks decoded so far, for the next build of this cache."""
        done = sum(map(_count, self.chunks))
        if done:
            with contextlib.suppress(OSError):
                write_chunks(staging, self.chunks)
                sync(staging / "faces.npy")
                shutil.rmtree(self._stopped(), ignore_errors=True)
                staging.rename(self._stopped())
                count = len(self.source)
                log(f"\n{done:,} of {count:,} pictures are decoded, and kept for the next start")

    def _stopped(self) -> Path:
        """Return the folder of a build that was stopped by Ctrl-C."""
        return self.folder.with_name(f".stopped-{self.folder.name}")

    def _write_faces(self, path: Path, count: int) -> None:
        """Write each chunk where it belongs if all pictures are readable; then close the gaps."""
        with self._storage_errors(), path.open("r+b" if self.chunks else "w+b") as faces:
            self._write_header(faces, count)
            faces.flush()
            header = faces.tell()
            self._gather(path, header)
            if any(chunk.unreadable for chunk in self.chunks):
                self._close_gaps(faces, header)
            self._write_header(faces, sum(len(chunk.indices) for chunk in self.chunks))
            flush(faces)

    def _gather(self, path: Path, header: int) -> None:
        """Decode the chunks that are missing into the file."""
        total = len(self.source) - sum(map(_count, self.chunks))
        name = self._source_name()
        with (
            closing(self._decoded(path, header)) as chunks,
            closing(with_progress(chunks, total, "decoding", name, _size)) as progress,
        ):
            for chunk in progress:
                self.chunks.append(chunk)
        self.chunks.sort(key=lambda chunk: chunk.start)

    def _close_gaps(self, faces: io.BufferedRandom, header: int) -> None:
        """Move the pictures of each chunk to the end of the chunk before it."""
        row, end = self._picture_bytes(), 0
        for chunk in self.chunks:
            faces.seek(header + chunk.start * row)
            pictures = faces.read(len(chunk.indices) * row)
            faces.seek(header + end * row)
            faces.write(pictures)
            end += len(chunk.indices)
        faces.truncate(header + end * row)

    def _source_name(self) -> str:
        return str(self.source.identity().get("path") or f"data={self.source.identity()['kind']}")

    def _picture_bytes(self) -> int:
        return self.image_size**2 * 3

    def _bytes_needed(self) -> int:
        return len(self.source) * self._picture_bytes()

    def _make_staging(self) -> Path:
        """Create a folder named after this machine and process, or adopt that of a stopped build.

        Abandoned ones are removed.
        """
        cache_dir = self.folder.parent
        with self._storage_errors():
            cache_dir.mkdir(parents=True, exist_ok=True)
            scratch.remove_abandoned(cache_dir, STAGING)
            self.check_space()
            staging = cache_dir / scratch.owned_name(STAGING)
            try:
                self._stopped().rename(staging)
            except OSError:
                staging.mkdir()
            return staging

    def check_space(self) -> None:
        """Raise `UserError` if the disk or the memory has no room for this build."""
        count = len(self.source)
        parents = (self.folder.parent, *self.folder.parent.parents)
        free = shutil.disk_usage(next(each for each in parents if each.exists())).free
        if free < self._bytes_needed():
            raise UserError(
                f"the cache of decoded pictures needs {self._bytes_needed():,} bytes, but "
                f"{self.folder.parent} has {free:,} free:\n"
                f"free some space, or use {self._smaller(free / self._picture_bytes())}"
                "another data.cache_dir=..."
            )
        check_memory(
            MEMORY_PER_PICTURE * count,
            f"decoding {count:,} pictures",
            f"use {self._smaller((free_memory() or 0) / MEMORY_PER_PICTURE)}fewer pictures",
        )

    def _smaller(self, fits: float) -> str:
        """Return the setting of a source that makes it have `fits` pictures, if it has one."""
        if not isinstance(self.source, HasCount):
            return ""
        return f"{self.source.count_setting}={max(1, int(ROOM * fits))}, or "

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
        indices = np.concatenate([np.array(chunk.indices, np.int64) for chunk in self.chunks])
        write_array(staging / "indices.npy", indices)
        write_array(staging / "digests.npy", np.concatenate([each.digests for each in self.chunks]))
        write_text(staging / UNREADABLE, self._unreadable_lines())
        record = {
            "made_from": self.made_from,
            "shape": [len(indices), self.image_size, self.image_size, 3],
            "faces_bytes": (staging / "faces.npy").stat().st_size,
            "unreadable": len(self._unreadable()),
        }
        write_text(staging / "source.json", json.dumps(record, indent=2) + "\n")
        sync(staging)

    def _unreadable(self) -> list[tuple[str, str]]:
        return [each for chunk in self.chunks for each in chunk.unreadable]

    def _unreadable_lines(self) -> str:
        return "".join(f"{_one_line(name)}\t{reason}\n" for name, reason in self._unreadable())

    def _none_readable(self) -> UserError:
        """Write the list of reasons next to the missing cache, and return the error."""
        reasons = self.folder.with_name(f"{self.folder.name}-unreadable.txt")
        with self._storage_errors():
            write_text(reasons, self._unreadable_lines())
        unreadable = self._unreadable()
        first = "; ".join(f"{_one_line(name)}: {reason}" for name, reason in unreadable[:3])
        return UserError(
            f"none of {len(unreadable):,} pictures of {self._source_name()} could be read "
            f"({first})\nthe reasons are in {reasons}"
        )

    def _decoded(self, path: Path, header: int) -> Generator[Chunk, None, None]:
        """Decode the missing chunks after the file's header, in this process or in workers."""
        count, done = len(self.source), {chunk.start for chunk in self.chunks}
        size = max(1, min(CHUNK_PICTURES, CHUNK_BYTES // self._picture_bytes()))
        starts = [start for start in range(0, count, size) if start not in done]
        ranges = [range(start, min(start + size, count)) for start in starts]
        workers = cores() if self.workers is None else self.workers
        workers = workers if count >= MIN_PICTURES_FOR_WORKERS else 1
        work = partial(_decode, self.source, self.image_size, path, header)
        return in_order(work, ranges, workers, "data.workers")


def _decode(source: Source, image_size: int, path: Path, header: int, span: range) -> Chunk:
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
    return Chunk(span.start, digests(images), indices, unreadable)


def digests(images: np.ndarray) -> np.ndarray:
    """Return a hash of the pixels of each picture, uint64 of shape (n,)."""
    hashes = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
    return np.frombuffer(b"".join(hashes), "<u8").astype(np.uint64)


def _count(chunk: Chunk) -> int:
    """Return the number of pictures in a chunk, including unreadable ones."""
    return len(chunk.indices) + len(chunk.unreadable)


def _size(chunk: Chunk) -> tuple[int, int]:
    """Return the number of pictures in a chunk, and how many of them are unreadable."""
    return _count(chunk), len(chunk.unreadable)


def _one_line(text: str) -> str:
    return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")
