"""Clusters of similar faces, found without labels: k-means on coarse colours and shapes.

The features are what a scan keeps of each face, so that no picture is decoded again. Hue and
saturation count most, because they tell hair colours apart: on colours as they are, clusters are
those of light and dark pictures, each with hair of all colours. The features'
principal components are clustered by OpenCV's k-means with k-means++ (Arthur and Vassilvitskii
2007), which gives the same clusters for the same seed on any number of threads.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anime_dcgan.cleaning.scan import READ, Scan
from anime_dcgan.cleaning.sheets import contact_sheet
from anime_dcgan.system.errors import UserError, needs_extra
from anime_dcgan.system.files import write_atomically

COMPONENTS = 32
SAMPLE = 10_000  # faces that the components are fitted to
BLOCK = 4096  # faces projected at a time
WEIGHTS = {"luminance": 1.0, "chroma": 3.0, "shape": 0.5}
"""Standard deviation of all values of a feature together."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
ATTEMPTS, ITERATIONS, TOLERANCE = 3, 100, 1e-3
MIN_FACES = 2
"""Smaller clusters are merged into others, because no class of one picture can be trained."""
SHEET = (6, 8)  # rows and columns of the sheet of a cluster


def find_clusters(
    scan: Scan, keep: np.ndarray, train: np.ndarray, count: int, seed: int
) -> np.ndarray:
    """Return the cluster of each row, int64 (n,): 0 is the largest, -1 are unreadable pictures.

    Clusters are fitted to the rows of `keep`, bool (n,); each has at least `MIN_FACES` of `train`.
    Raises `UserError` if there are not enough pictures.
    """
    cv2 = _opencv(count)
    if train.sum() < MIN_FACES * count:
        raise UserError(
            f"clusters={count} of {train.sum():,} pictures leaves less than {MIN_FACES} in each: "
            f"use clusters={max(2, int(train.sum()) // 20)}, or more pictures"
        )
    rows = np.flatnonzero(scan.records["state"] == READ)
    positions = np.concatenate(list(_positions(scan, rows, np.flatnonzero(keep), seed)))
    cv2.setRNGSeed(seed % 2**31)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, ITERATIONS, TOLERANCE)
    fitted = np.ascontiguousarray(positions[keep[rows]])
    _, _, centres = cv2.kmeans(fitted, count, None, criteria, ATTEMPTS, cv2.KMEANS_PP_CENTERS)
    nearest = _merge_small(positions, centres, train[rows])
    sizes = np.bincount(nearest[keep[rows]], minlength=count)
    ranks = np.empty(count, dtype=np.int64)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(count)
    found = np.full(len(scan.records), -1, dtype=np.int64)
    found[rows] = ranks[nearest]
    return found


def name_clusters(clusters: np.ndarray, earlier: Sequence[str]) -> list[str]:
    """Return the name of each row's cluster, such as cluster-03; "" where there is none.

    A picture keeps its `earlier` name, which a person may have changed, and gives it to new
    pictures of its cluster.
    """
    votes: dict[int, Counter[str]] = {}
    for cluster, name in zip(clusters.tolist(), earlier, strict=True):
        if name:
            votes.setdefault(cluster, Counter())[name] += 1
    digits = max(2, len(str(clusters.max() + 1)))
    names = {number: f"cluster-{number + 1:0{digits}d}" for number in range(clusters.max() + 1)}
    names |= {number: max(sorted(found), key=found.__getitem__) for number, found in votes.items()}
    names[-1] = ""
    return [
        name or names[cluster] for cluster, name in zip(clusters.tolist(), earlier, strict=True)
    ]


def write_sheets(scan: Scan, names: Sequence[str], keep: np.ndarray, folder: Path) -> None:
    """Write a sheet of kept faces of each name into `folder`, instead of earlier sheets.

    Raises OSError.
    """
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.png"):
        path.unlink()
    kept = np.flatnonzero(keep)
    named = np.array(list(names), dtype=object)[kept]
    for number, name in enumerate(sorted(set(named) - {""}), start=1):
        rows = np.random.default_rng(0).permutation(kept[named == name])[: SHEET[0] * SHEET[1]]
        sheet = Image.fromarray(contact_sheet(scan, rows, SHEET[1]))
        safe = re.sub(r"[^\w-]+", "-", name).strip("-")[:60]
        write_atomically(folder / f"{number:02d}-{safe}.png", sheet.save)


def _opencv(count: int) -> Any:
    try:
        import cv2
    except ImportError:
        raise needs_extra(f"clusters={count}", "crop") from None
    return cv2


def _positions(scan: Scan, rows: np.ndarray, kept: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Yield the principal components of the faces of `rows`, float32 (m, COMPONENTS), in blocks.

    The components are those of a sample of the rows `kept`.
    """
    sample = np.sort(np.random.default_rng(seed).permutation(kept)[:SAMPLE])
    features = _features(scan, sample)
    scales = {
        name: weight / max(float(np.sqrt(features[name].var(0).sum())), 1e-6)
        for name, weight in WEIGHTS.items()
    }
    rescaled = _concatenate(features, scales)
    mean = rescaled.mean(0)
    rescaled -= mean
    _, directions = np.linalg.eigh(rescaled.T @ rescaled)
    basis = directions[:, ::-1][:, :COMPONENTS]
    for start in range(0, len(rows), BLOCK):
        block = _concatenate(_features(scan, rows[start : start + BLOCK]), scales) - mean
        yield (block @ basis).astype(np.float32)


def _features(scan: Scan, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the features of `WEIGHTS`, each float32 (m, d); shapes have unit length."""
    colours = scan.colours(rows).astype(np.float32)
    luminance = colours @ LUMA
    chroma = colours[..., [0, 2]] - luminance[..., None]  # R - Y and B - Y
    shapes = scan.descriptors(rows).astype(np.float32)
    return {
        "luminance": luminance.reshape(len(rows), -1),
        "chroma": chroma.reshape(len(rows), -1),
        "shape": shapes / np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-6),
    }


def _concatenate(features: dict[str, np.ndarray], scales: dict[str, float]) -> np.ndarray:
    return np.concatenate([scale * features[name] for name, scale in scales.items()], axis=1)


def _merge_small(positions: np.ndarray, centres: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the nearest centre of each position, without centres of too few training rows."""
    usable = np.ones(len(centres), dtype=bool)
    while True:
        nearest = _nearest(positions, np.where(usable[:, None], centres, np.inf))
        sizes = np.bincount(nearest[train], minlength=len(centres))
        small = np.flatnonzero(usable & (sizes < MIN_FACES))
        if not len(small):
            return nearest
        usable[small[np.argmin(sizes[small])]] = False


def _nearest(positions: np.ndarray, centres: np.ndarray) -> np.ndarray:
    nearest = np.empty(len(positions), dtype=np.int64)
    for start in range(0, len(positions), BLOCK):
        block = positions[start : start + BLOCK]
        distances = np.stack([np.square(block - centre).sum(1) for centre in centres])
        nearest[start : start + BLOCK] = distances.argmin(0)
    return nearest
