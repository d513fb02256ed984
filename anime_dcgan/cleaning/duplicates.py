"""Near-duplicates: re-encoded, slightly scaled, mirrored or recoloured pictures of one drawing.

A face is described by its luminance at 32x32 px, centred and normalised to unit length, which is
invariant to brightness, contrast and saturation. The distance of two faces is 1 minus the cosine
similarity of their descriptors, mirrored or not, whichever is smaller.

Close pairs are found without comparing all pairs: random projections give each face a signature of
256 bits, most of which close faces share (Charikar 2002, "Similarity estimation techniques from
rounding algorithms"); the signatures are sorted by several random subsets of 64 bits, and each face
is compared with its neighbours in each order. The cost is O(n log n).
"""

from collections.abc import Callable, Iterator

import numpy as np

from anime_dcgan.cleaning.image_stats import SIDE, luminance, shrink

GRID = 32
DIMENSIONS = GRID * GRID
BITS = 256
ORDERS = 16
NEIGHBOURS = 8
MAX_DIFFERENT_BITS = 72
"""Pairs whose signatures differ in more bits are not compared further."""
SAMPLE = 20_000
BLOCK = 1 << 16
LEADERS = 256
"""Maximum number of kept pictures of a group that a picture is compared with."""

Fetch = Callable[[np.ndarray], np.ndarray]
"""Function from indices of pictures, int64 (m,), to their descriptors, int8 (m, DIMENSIONS)."""


def describe(faces: np.ndarray) -> np.ndarray:
    """Return the descriptors, int8 (n, DIMENSIONS), of faces, uint8 (n, SIDE, SIDE, 3).

    The descriptor of a picture of a single colour is zero.
    """
    planes = shrink(luminance(faces), SIDE // GRID).reshape(len(faces), -1)
    planes -= planes.mean(1, keepdims=True)
    peaks = np.abs(planes).max(1, keepdims=True)
    return np.rint(np.where(peaks < 1, 0, planes * 127 / np.maximum(peaks, 1))).astype(np.int8)


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the distances, float32 (n,) in 0..2, of pairs of descriptors, int8 (n, DIMENSIONS)."""
    first, second = _normalised(one), _normalised(other)
    direct = (first * second).sum(1)
    mirrored = (first * _mirrored(second)).sum(1)
    nearer = 1 - np.maximum(direct, mirrored)
    return np.where(one.any(1) & other.any(1), np.maximum(nearer, 0), 2).astype(np.float32)


def near_duplicates(
    count: int, fetch: Fetch, limit: float, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the near-duplicates among `count` pictures.

    Parameters:
        limit: maximum distance of near-duplicates.
        rank: int64 (count,); of two near-duplicates the one with the lower rank is kept.

    Returns for each picture: the index of the kept one that it duplicates (its own if it is kept),
    their distance, and its group: the lowest index among all pictures linked by near-duplicates.
    """
    groups = _groups(count, fetch, limit)
    duplicate_of, distances = np.arange(count), np.zeros(count, dtype=np.float32)
    order = np.lexsort((rank, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    ends = np.flatnonzero(np.diff(groups[order], append=-1)) + 1
    for start, end in zip(starts, ends, strict=True):
        if end - start > 1:
            _keep_leaders(order[start:end], fetch, limit, duplicate_of, distances)
    return duplicate_of, distances, groups


def _keep_leaders(
    members: np.ndarray, fetch: Fetch, limit: float, duplicate_of: np.ndarray, distances: np.ndarray
) -> None:
    """Keep the members of a group, best first, that are not close to one that is already kept."""
    leaders: list[int] = []
    kept = np.empty((0, DIMENSIONS), dtype=np.int8)
    for member in members:
        descriptor = fetch(np.array([member]))
        apart = distance(np.repeat(descriptor, len(kept), axis=0), kept)
        if len(kept) and apart.min() <= limit:
            duplicate_of[member], distances[member] = leaders[int(apart.argmin())], apart.min()
        else:
            leaders = [*leaders, int(member)][-LEADERS:]
            kept = np.concatenate([kept, descriptor])[-LEADERS:]


def _groups(count: int, fetch: Fetch, limit: float) -> np.ndarray:
    """Return the lowest index that each picture is linked to by pairs at most `limit` apart."""
    groups = np.arange(count)
    if count < 2:
        return groups
    signatures = _signatures(count, fetch)
    for one, other in _neighbours(signatures, count):
        unlinked = groups[one] != groups[other]
        one, other = one[unlinked], other[unlinked]
        for start in range(0, len(one), BLOCK // 16):
            part = slice(start, start + BLOCK // 16)
            close = distance(fetch(one[part]), fetch(other[part])) <= limit
            _link(groups, one[part][close], other[part][close])
    return groups


def _link(groups: np.ndarray, one: np.ndarray, other: np.ndarray) -> None:
    """Merge the groups of each pair, in place; a group is named by the lowest of its indices."""
    if len(one) == 0:
        return
    parents: dict[int, int] = {}

    def root(group: int) -> int:
        while (parent := parents.get(group, group)) != group:
            parents[group] = parents.get(parent, parent)
            group = parent
        return group

    for first, second in zip(groups[one].tolist(), groups[other].tolist(), strict=True):
        low, high = sorted((root(first), root(second)))
        parents[high] = low
    olds = np.array(sorted(parents))
    news = np.array([root(old) for old in olds.tolist()])
    found = np.searchsorted(olds, groups).clip(max=len(olds) - 1)
    groups[:] = np.where(olds[found] == groups, news[found], groups)


def _signatures(count: int, fetch: Fetch) -> np.ndarray:
    """Return the signatures of all pictures, then all mirrored: uint64 (2 * count, BITS / 64)."""
    generator = np.random.default_rng(0)
    projections = generator.standard_normal((DIMENSIONS // 4, BITS)).astype(np.float32)
    sample = np.sort(generator.permutation(count)[:SAMPLE])
    mean = np.mean([_coarse(fetch(part)).mean(0) for part in _blocks(sample)], axis=0)
    mean = (mean.reshape(GRID // 2, -1) + mean.reshape(GRID // 2, -1)[:, ::-1]).ravel() / 2
    signatures = np.empty((2 * count, BITS // 64), dtype=np.uint64)
    for part in _blocks(np.arange(count)):
        descriptors = fetch(part)
        for offset, oriented in ((0, descriptors), (count, _mirrored(descriptors))):
            bits = (_coarse(oriented) - mean) @ projections > 0
            signatures[part + offset] = np.packbits(bits, axis=1).view(np.uint64)
    return signatures


def _neighbours(signatures: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield index pairs of pictures with similar signatures, at least one of them unmirrored."""
    for seed in range(ORDERS):
        order = np.argsort(_chosen_bits(signatures, seed))
        for step in range(1, NEIGHBOURS + 1):
            one, other = order[:-step], order[step:]
            usable = ((one < count) | (other < count)) & (one % count != other % count)
            one, other = one[usable], other[usable]
            different = np.zeros(len(one), dtype=np.uint16)
            for word in range(signatures.shape[1]):
                different += np.bitwise_count(signatures[one, word] ^ signatures[other, word])
            similar = different <= MAX_DIFFERENT_BITS
            yield one[similar] % count, other[similar] % count


def _chosen_bits(signatures: np.ndarray, seed: int) -> np.ndarray:
    """Return 64 bits of each signature, chosen by the seed, as one uint64."""
    bits = np.random.default_rng(seed).permutation(BITS)[:64].astype(np.uint64)
    key = np.zeros(len(signatures), dtype=np.uint64)
    for bit in bits:
        word, offset = divmod(int(bit), 64)
        key = (key << np.uint64(1)) | (signatures[:, word] >> np.uint64(offset) & np.uint64(1))
    return key


def _blocks(indices: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(indices), BLOCK // 8):
        yield indices[start : start + BLOCK // 8]


def _coarse(descriptors: np.ndarray) -> np.ndarray:
    """Return the descriptors at half the resolution, normalised: float32 (n, DIMENSIONS / 4)."""
    planes = shrink(descriptors.reshape(-1, GRID, GRID), 2).reshape(len(descriptors), -1)
    return planes / np.maximum(np.linalg.norm(planes, axis=1, keepdims=True), 1e-6)


def _normalised(descriptors: np.ndarray) -> np.ndarray:
    rows = descriptors.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _mirrored(descriptors: np.ndarray) -> np.ndarray:
    return descriptors.reshape(len(descriptors), GRID, GRID)[:, :, ::-1].reshape(descriptors.shape)
