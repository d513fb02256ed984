"""The decoded faces of a source, with those that are never trained on set apart."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.source import Source


@dataclass(frozen=True, eq=False)
class Faces:
    """`images[train_rows]` are for training, `images[holdout_rows]` are not; nothing is shared."""

    folder: Path
    """Where the cache lies; its name stands for the source and the image size."""
    images: np.ndarray
    """Read-only memory map, uint8, (n, image_size, image_size, 3), values 0..255."""
    train_rows: np.ndarray
    holdout_rows: np.ndarray


def open_faces(
    source: Source,
    image_size: int,
    holdout: float,
    seed: int,
    cache_dir: Path,
    workers: int | None = None,
) -> Faces:
    """The faces of `source`, decoded where they are not in the cache yet (as `open_cache` says)."""
    cache = open_cache(source, image_size, cache_dir, workers)
    return Faces(cache.folder, cache.images, *split(len(cache.images), holdout, seed))


def split(count: int, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training and of the hold-out faces, each ascending, never shared."""
    order = np.random.default_rng((seed, count)).permutation(count)
    held_out = round(holdout * count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def distinct_rows(images: np.ndarray, rows: np.ndarray, wanted: int, seed: int) -> np.ndarray:
    """Up to `wanted` of the rows, chosen at random, no two of them with the same pixels.

    Only as many images are read as it takes.
    """
    chosen: list[int] = []
    known: set[bytes] = set()
    for row in np.random.default_rng(seed).permutation(rows):
        pixels = hashlib.blake2b(images[row].tobytes(), digest_size=16).digest()
        if pixels not in known:
            known.add(pixels)
            chosen.append(int(row))
        if len(chosen) == wanted:
            break
    return np.array(chosen, dtype=np.int64)
