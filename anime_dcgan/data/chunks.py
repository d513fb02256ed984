"""The decoded chunks of a cache that is being built, and their record when the build is stopped."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

CHUNKS = "chunks.json"


@dataclass(frozen=True)
class Chunk:
    """A range of source indices; its readable pictures are in the file from row `start`."""

    start: int
    digests: np.ndarray
    indices: list[int]
    unreadable: list[tuple[str, str]]
    """Name and reason of each unreadable picture."""


def write_chunks(folder: Path, chunks: list[Chunk]) -> None:
    """Record the chunks that are in the folder's file of pictures. Raises OSError."""
    content = [{**asdict(chunk), "digests": chunk.digests.tolist()} for chunk in chunks]
    (folder / CHUNKS).write_text(json.dumps(content), encoding="utf-8")


def read_chunks(folder: Path) -> list[Chunk]:
    """Return the chunks that a stopped build recorded, once; none without a complete record."""
    path = folder / CHUNKS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return [
            Chunk(
                int(each["start"]),
                np.array(each["digests"], dtype=np.uint64),
                [int(index) for index in each["indices"]],
                [(str(name), str(reason)) for name, reason in each["unreadable"]],
            )
            for each in content
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
