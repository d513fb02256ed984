"""Near copies: re-encoded, slightly scaled, mirrored or recoloured pictures of the same drawing.

A face is described by its luminance at 32x32 px without mean and of length 1, which brightness,
contrast and saturation leave as it is. Two faces are as far apart as 1 minus the cosine between
their descriptors, mirrored or not, whichever is less.

Close pairs are found without comparing all with all: random projections give each face a signature
of 256 bits, of which close ones share most (Charikar 2002, "Similarity estimation techniques from
rounding algorithms"); the signatures are sorted by several choices of 64 of their bits, and each
face is compared with its neighbours in each order. So the cost grows with the count times its
logarithm.
"""

from collections.abc import Callable, Iterator

import numpy as np

from anime_dcgan.cleaning.image_stats import SIDE, luminance, shrink

GRID = 32
DIMENSIONS = GRID * GRID
BITS = 256
ORDERS = 16
NEIGHBOURS = 8
MOST_UNLIKE_BITS = 72
"""Signatures that differ in more bits are not compared further."""
SAMPLE = 20_000
BLOCK = 1 << 16
LEADERS = 256
"""Within a group, a picture is compared with so many kept ones at most."""

Fetch = Callable[[np.ndarray], np.ndarray]
"""Descriptors, int8 (m, DIMENSIONS), of the pictures of these numbers, int64 (m,)."""


def describe(faces: np.ndarray) -> np.ndarray:
    """int8 (n, DIMENSIONS) from uint8 (n, SIDE, SIDE, 3); zeros for a picture of one colour."""
    planes = shrink(luminance(faces), SIDE // GRID).reshape(len(faces), -1)
    planes -= planes.mean(1, keepdims=True)
    peaks = np.abs(planes).max(1, keepdims=True)
    return np.rint(np.where(peaks < 1, 0, planes * 127 / np.maximum(peaks, 1))).astype(np.int8)


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Between descriptors, int8 (n, DIMENSIONS) each: float32 (n,), 0..2."""
    first, second = _units(one), _units(other)
    straight = (first * second).sum(1)
    turned = (first * _mirrored(second)).sum(1)
    nearer = 1 - np.maximum(straight, turned)
    return np.where(one.any(1) & other.any(1), np.maximum(nearer, 0), 2).astype(np.float32)


def near_copies(
    count: int, fetch: Fetch, limit: float, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who of `count` pictures is a near copy of whom.

    Parameters:
        limit: the greatest distance of copies.
        rank: int64 (count,); of two copies the one of lower rank is kept.

    Returns for each picture: the one it is a copy of (itself if it is kept), the distance between
    them, and the number of its group, the lowest number of all that are linked by copies.
    """
    groups = _groups(count, fetch, limit)
    copy_of, distances = np.arange(count), np.zeros(count, dtype=np.float32)
    order = np.lexsort((rank, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    ends = np.flatnonzero(np.diff(groups[order], append=-1)) + 1
    for start, end in zip(starts, ends, strict=True):
        if end - start > 1:
            _keep_leaders(order[start:end], fetch, limit, copy_of, distances)
    return copy_of, distances, groups


def _keep_leaders(
    members: np.ndarray, fetch: Fetch, limit: float, copy_of: np.ndarray, distances: np.ndarray
) -> None:
    """Going through a group, best first: who is near a kept one is its copy, who is not is kept."""
    leaders: list[int] = []
    known = np.empty((0, DIMENSIONS), dtype=np.int8)
    for member in members:
        own = fetch(np.array([member]))
        apart = distance(np.repeat(own, len(known), axis=0), known)
        if len(known) and apart.min() <= limit:
            copy_of[member], distances[member] = leaders[int(apart.argmin())], apart.min()
        else:
            leaders = [*leaders, int(member)][-LEADERS:]
            known = np.concatenate([known, own])[-LEADERS:]


def _groups(count: int, fetch: Fetch, limit: float) -> np.ndarray:
    """The lowest number that each picture is linked to by pairs at most `limit` apart."""
    groups = np.arange(count)
    if count < 2:
        return groups
    signatures = _signatures(count, fetch)
    for one, other in _neighbours(signatures, count):
        apart = groups[one] != groups[other]
        one, other = one[apart], other[apart]
        for start in range(0, len(one), BLOCK // 16):
            part = slice(start, start + BLOCK // 16)
            close = distance(fetch(one[part]), fetch(other[part])) <= limit
            _link(groups, one[part][close], other[part][close])
    return groups


def _link(groups: np.ndarray, one: np.ndarray, other: np.ndarray) -> None:
    """Unite the groups of each pair; every picture is left with the lowest number of its group."""
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
    places = np.searchsorted(olds, groups).clip(max=len(olds) - 1)
    groups[:] = np.where(olds[places] == groups, news[places], groups)


def _signatures(count: int, fetch: Fetch) -> np.ndarray:
    """uint64 (2 * count, BITS / 64): of each picture as it is, then of each one mirrored."""
    generator = np.random.default_rng(0)
    projections = generator.standard_normal((DIMENSIONS // 4, BITS)).astype(np.float32)
    sample = np.sort(generator.permutation(count)[:SAMPLE])
    usual = np.mean([_coarse(fetch(part)).mean(0) for part in _blocks(sample)], axis=0)
    usual = (usual.reshape(GRID // 2, -1) + usual.reshape(GRID // 2, -1)[:, ::-1]).ravel() / 2
    signatures = np.empty((2 * count, BITS // 64), dtype=np.uint64)
    for part in _blocks(np.arange(count)):
        descriptors = fetch(part)
        for offset, turned in ((0, descriptors), (count, _mirrored(descriptors))):
            bits = (_coarse(turned) - usual) @ projections > 0
            signatures[part + offset] = np.packbits(bits, axis=1).view(np.uint64)
    return signatures


def _neighbours(signatures: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of numbers of pictures whose signatures are alike, at least one of them unmirrored."""
    for seed in range(ORDERS):
        order = np.argsort(_chosen_bits(signatures, seed))
        for step in range(1, NEIGHBOURS + 1):
            one, other = order[:-step], order[step:]
            usable = ((one < count) | (other < count)) & (one % count != other % count)
            one, other = one[usable], other[usable]
            unlike = np.zeros(len(one), dtype=np.uint16)
            for word in range(signatures.shape[1]):
                unlike += np.bitwise_count(signatures[one, word] ^ signatures[other, word])
            alike = unlike <= MOST_UNLIKE_BITS
            yield one[alike] % count, other[alike] % count


def _chosen_bits(signatures: np.ndarray, seed: int) -> np.ndarray:
    """64 of the bits of each signature, chosen by the seed, as one uint64."""
    bits = np.random.default_rng(seed).permutation(BITS)[:64].astype(np.uint64)
    key = np.zeros(len(signatures), dtype=np.uint64)
    for bit in bits:
        word, place = divmod(int(bit), 64)
        key = (key << np.uint64(1)) | (signatures[:, word] >> np.uint64(place) & np.uint64(1))
    return key


def _blocks(numbers: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(numbers), BLOCK // 8):
        yield numbers[start : start + BLOCK // 8]


def _coarse(descriptors: np.ndarray) -> np.ndarray:
    """Half the resolution, of length 1: float32 (n, DIMENSIONS / 4)."""
    planes = shrink(descriptors.reshape(-1, GRID, GRID), 2).reshape(len(descriptors), -1)
    return planes / np.maximum(np.linalg.norm(planes, axis=1, keepdims=True), 1e-6)


def _units(descriptors: np.ndarray) -> np.ndarray:
    rows = descriptors.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _mirrored(descriptors: np.ndarray) -> np.ndarray:
    return descriptors.reshape(len(descriptors), GRID, GRID)[:, :, ::-1].reshape(descriptors.shape)
