"""The decoded faces of a source, split into training and hold-out faces."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.cache_files import UNREADABLE
from anime_dcgan.data.labels import Labels, describe_labels
from anime_dcgan.data.picture_files import describe_passed_over
from anime_dcgan.data.rows import reader
from anime_dcgan.data.source import HasOtherFiles, HasSplit, Source


@dataclass(frozen=True, eq=False)
class Faces:
    """Decoded faces; `images[train_rows]` and `images[holdout_rows]` are disjoint."""

    folder: Path
    """Folder of the cache; its name identifies the source and the image size."""
    images: np.ndarray
    """Read-only memory map, uint8, (n, image_size, image_size, 3), values 0..255."""
    train_rows: np.ndarray
    holdout_rows: np.ndarray
    digests: np.ndarray
    """uint64, (n,): a hash of the pixels of each picture."""
    unreadable: int = 0
    """Number of pictures that could not be decoded."""
    label_names: tuple[str, ...] = ()
    """The classes; empty without labels."""
    labels: np.ndarray | None = None
    """int64, (n,): the class of each row, an index into `label_names`; -1 if it is unknown."""

    def fingerprint(self) -> dict[str, dict[str, int | str]]:
        """Return plain values that are equal for the same faces, wherever they are stored.

        For the training and the hold-out faces: their number, a hash of their pixels, and one that
        also depends on their order; with labels, a hash of their classes in this order.
        """
        rows = {"training": self.train_rows, "holdout": self.holdout_rows}
        return {
            name: {**_fingerprint(self.digests[chosen]), **self._fingerprint_labels(chosen)}
            for name, chosen in rows.items()
        }

    def _fingerprint_labels(self, rows: np.ndarray) -> dict[str, str]:
        if self.labels is None:
            return {}
        names = json.dumps(self.label_names).encode()
        classes = self.labels[rows].astype("<i8").tobytes()
        return {"labels": hashlib.sha256(names + classes).hexdigest()}


def open_faces(
    source: Source,
    image_size: int,
    holdout: float | None,
    seed: int,
    cache_dir: Path,
    workers: int | None = None,
    labels: Labels | None = None,
) -> Faces:
    """Return the faces of `source`; decode them if they are not in the cache (see `open_cache`).

    `holdout` is the fraction, in [0, 1), that is held out; it and `seed` have no effect on a source
    that is `HasSplit`. `labels` are those of the source's pictures.
    """
    cache = open_cache(source, image_size, cache_dir, workers)
    if isinstance(source, HasSplit):
        held_out = source.held_out(cache.indices)
    else:
        held_out = is_held_out(cache.digests, holdout or 0.0, seed)
    rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    faces = Faces(cache.folder, cache.images, *rows, cache.digests, cache.unreadable)
    if labels is None:
        return faces
    of_rows = labels.of_pictures[cache.indices]
    return replace(faces, label_names=labels.names, labels=of_rows)


def describe_faces(source: Source, faces: Faces) -> str:
    """Return the numbers of faces, of classes, and of pictures and files that are not used."""
    parts = [f"{len(faces.images):,} faces, {len(faces.holdout_rows):,} of them held out"]
    if faces.unreadable:
        parts.append(f"{faces.unreadable:,} unreadable ({faces.folder / UNREADABLE})")
    if isinstance(source, HasOtherFiles) and (others := source.passed_over()):
        parts.append(describe_passed_over(others))
    if faces.labels is not None:
        parts.append(describe_labels(faces.label_names, faces.labels))
    return "; ".join(parts)


def _fingerprint(digests: np.ndarray) -> dict[str, int | str]:
    def hashed(values: np.ndarray) -> str:
        return hashlib.sha256(values.astype("<u8").tobytes()).hexdigest()

    return {
        "count": len(digests),
        "pixels": hashed(np.sort(digests)),
        "order": hashed(digests),
    }


def is_held_out(keys: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return True for each key, uint64, that is in the held-out fraction: bool, (n,).

    The result depends only on the key and the seed: faces that are added move no others, and equal
    keys fall on the same side. The keys are mixed by the finalizer of splitmix64 (Steele, Lea,
    Flood 2014, "Fast splittable pseudorandom number generators").
    """
    mixed = keys.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)) * 2.0**-53 < fraction


def distinct_rows(images: np.ndarray, rows: np.ndarray, max_count: int, seed: int) -> np.ndarray:
    """Return up to `max_count` random rows, no two of them with the same pixels.

    No more images are read than necessary.
    """
    chosen: list[int] = []
    digests: set[bytes] = set()
    with reader(images) as gather:
        for row in np.random.default_rng(seed).permutation(rows):
            digest = hashlib.blake2b(gather(np.array([row])).tobytes(), digest_size=16).digest()
            if digest not in digests:
                digests.add(digest)
                chosen.append(int(row))
            if len(chosen) == max_count:
                break
    return np.array(chosen, dtype=np.int64)
