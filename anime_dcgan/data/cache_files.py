"""The files of a cache: loading, durable writing, and publishing.

A cache is a folder that holds `faces.npy` (the pictures), `indices.npy` (the source index of each
row), `digests.npy` (a hash of each row's pixels), `unreadable.txt` (the pictures left out, with
reasons) and `source.json` (the source and the settings). It is renamed to its final name when
complete, so that a folder of that name is complete however a build ends.
"""

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anime_dcgan.system import scratch
from anime_dcgan.system.files import sync

UNREADABLE = "unreadable.txt"
"""The pictures of a cache that could not be decoded, with reasons."""


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
    """uint64, (n,): a hash of the pixels of each picture."""


def load_cache(folder: Path, made_from: dict[str, object]) -> FaceCache | None:
    """Load the cache in `folder`; None if it is absent, damaged or made from another source."""
    try:
        record = json.loads((folder / "source.json").read_text(encoding="utf-8"))
        if record["made_from"] != made_from:
            return None
        faces = folder / "faces.npy"
        images = np.load(faces, mmap_mode="r")
        indices = np.load(folder / "indices.npy")
        digests = np.load(folder / "digests.npy")
        is_complete = (
            faces.stat().st_size == record["faces_bytes"]
            and list(images.shape) == record["shape"]
            and images.dtype == np.uint8
            and indices.shape == images.shape[:1]
            and indices.dtype == np.int64
            and digests.shape == images.shape[:1]
            and digests.dtype == np.uint64
        )
        if not is_complete:
            return None
        return FaceCache(folder, images, int(record["unreadable"]), indices, digests)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def publish(staging: Path, folder: Path, made_from: dict[str, object]) -> None:
    """Rename `staging` to `folder`, unless another process has completed the cache already."""
    try:
        staging.rename(folder)
    except OSError:
        if load_cache(folder, made_from) is not None:
            return
        damaged = staging.with_name(f"{staging.name}-damaged")
        folder.rename(damaged)
        staging.rename(folder)
        scratch.remove(damaged)
    sync(folder.parent)


def write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(text)
        flush(file)


def write_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)
        flush(file)


def flush(file: io.BufferedWriter | io.BufferedRandom | io.TextIOWrapper) -> None:
    """Flush to the disk, so that no power cut keeps a later rename but loses the data."""
    file.flush()
    os.fsync(file.fileno())
