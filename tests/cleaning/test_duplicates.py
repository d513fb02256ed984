"""Near-duplicates: found without comparing all pairs, and the best of each group is kept."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from anime_dcgan.cleaning import duplicates
from anime_dcgan.cleaning.duplicates import describe, distance, near_duplicates
from anime_dcgan.cleaning.image_stats import SIDE
from tests.cleaning.conftest import Change, changed, descriptors_of, encoded, scaled

LIMIT = 0.03

COPIES: dict[str, Change] = {
    "encoded": encoded,
    "reduced": scaled(48),
    "enlarged": scaled(96),
    "mirrored": ImageOps.mirror,
    "mirrored and encoded": lambda face: encoded(ImageOps.mirror(face)),
    "darker": lambda face: ImageEnhance.Brightness(face).enhance(0.8),
    "more contrast": lambda face: ImageEnhance.Contrast(face).enhance(1.3),
    "paler": lambda face: ImageEnhance.Color(face).enhance(0.5),
}


def found(
    descriptors: np.ndarray, limit: float = LIMIT, rank: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Call `near_duplicates`; by default earlier pictures have a lower rank."""
    count = len(descriptors)
    rank = np.arange(count) if rank is None else rank
    return near_duplicates(count, lambda rows: descriptors[rows], limit, rank)


def test_descriptors_are_invariant_to_brightness_and_contrast(faces: np.ndarray):
    dark = faces[:50] // 3
    before, after = (describe(one).astype(int) for one in (dark, 2 * dark + 40))
    assert (before.min(), before.max()) == (-127, 127)
    assert np.abs(before - after).max() <= 1  # rounding


def test_descriptors_are_invariant_to_colour_at_equal_luminance(faces: np.ndarray):
    grey = changed(faces[:50], lambda face: face.convert("L").convert("RGB"))
    assert np.abs(describe(faces[:50]).astype(int) - describe(grey)).max() <= 2


def cosine_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the distances of all pairs, (n, m), mirrored or not, by definition."""
    first, second = (rows.astype(float).reshape(len(rows), 32, 32) for rows in (one, other))
    likeness = [
        np.einsum("nij,mij->nm", first, turned)
        / np.linalg.norm(first, axis=(1, 2))[:, None]
        / np.linalg.norm(turned, axis=(1, 2))
        for turned in (second, second[:, :, ::-1])
    ]
    return 1 - np.maximum(*likeness)


def test_distance_is_one_minus_the_cosine_and_symmetric(faces: np.ndarray):
    one, other = describe(faces[:60]), describe(faces[60:120])
    apart = distance(one, other)
    assert apart.dtype == np.float32
    np.testing.assert_allclose(apart, np.diag(cosine_distances(one, other)), atol=1e-5)
    np.testing.assert_allclose(apart, distance(other, one), atol=1e-6)
    assert apart.min() > LIMIT


def test_a_face_has_distance_zero_to_itself_and_its_mirror_image(faces: np.ndarray):
    own = describe(faces)
    assert distance(own, own).max() < 1e-5
    assert distance(own, describe(faces[:, :, ::-1])).max() < 1e-5
    assert distance(own, describe(faces[:, ::-1])).min() > LIMIT  # upside down


@pytest.mark.parametrize("name", COPIES)
def test_planted_duplicates_are_found_without_linking_distinct_faces(faces: np.ndarray, name: str):
    count, sources = len(faces), np.arange(0, len(faces), 3)
    planted = changed(faces[sources], COPIES[name])
    duplicate_of, _, groups = found(describe(np.concatenate([faces, planted])))
    assert (groups[:count] == np.arange(count)).all()
    linked = groups[count:] == sources
    assert linked.mean() >= 0.98
    np.testing.assert_array_equal(duplicate_of[count:][linked], sources[linked])
    alone = np.arange(count, len(groups))
    np.testing.assert_array_equal(groups[count:][~linked], alone[~linked])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_duplicates_are_found_among_a_few(faces: np.ndarray, count: int):
    for start in range(0, 100, 10):
        few = faces[start : start + count]
        groups = found(describe(np.concatenate([few, changed(few, encoded)])))[2]
        assert groups.tolist() == [*range(count), *range(count)]


def test_a_single_picture_has_no_duplicates(faces: np.ndarray):
    assert [part.tolist() for part in found(describe(faces[:1]))] == [[0], [0], [0]]
    assert [part.tolist() for part in found(descriptors_of(0))] == [[], [], []]


def enlarged(cut: int) -> Change:
    """Return a change that crops `cut` px at every edge; a series of them forms a chain."""

    def change(face: Image.Image) -> Image.Image:
        box = (cut, cut, SIDE - cut, SIDE - cut)
        return face.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box)

    return change


@pytest.fixture(scope="module")
def chained(faces: np.ndarray) -> np.ndarray:
    """Descriptors of 40 faces and of ever stronger enlargements of each, shuffled."""
    some = faces[:40]
    series = [some, *(changed(some, enlarged(cut)) for cut in (1, 2, 3, 4, 5)), some[:10, :, ::-1]]
    rows = describe(np.concatenate(series))
    return rows[np.random.default_rng(0).permutation(len(rows))]


def united(close: np.ndarray) -> list[int]:
    """Return the lowest index that each picture is linked to, found pair by pair."""
    lowest = list(range(len(close)))
    for one, other in np.argwhere(close):
        low, high = sorted((lowest[one], lowest[other]))
        lowest = [low if number == high else number for number in lowest]
    return lowest


@pytest.mark.parametrize("limit", [0.01, 0.03, 0.06])
def test_groups_are_those_of_comparing_all_pairs(chained: np.ndarray, limit: float):
    expected = united(cosine_distances(chained, chained) <= limit)
    assert 40 <= len(set(expected)) < len(chained)
    assert found(chained, limit)[2].tolist() == expected


def test_every_dropped_picture_is_within_the_limit_of_the_kept_one(chained: np.ndarray):
    rank = np.random.default_rng(1).permutation(len(chained))
    duplicate_of, distances, groups = found(chained, rank=rank)
    dropped = duplicate_of != np.arange(len(chained))
    kept = duplicate_of[dropped]
    np.testing.assert_array_equal(duplicate_of[kept], kept)
    np.testing.assert_array_equal(groups[kept], groups[dropped])
    assert (rank[kept] < rank[dropped]).all()
    apart = cosine_distances(chained, chained)
    np.testing.assert_allclose(distances[dropped], apart[dropped.nonzero(), kept][0], atol=1e-5)
    assert (distances[dropped] <= LIMIT).all()
    assert (distances[~dropped] == 0).all()
    apart[groups[:, None] != groups] = np.inf
    np.fill_diagonal(apart, np.inf)
    assert apart[np.ix_(~dropped, ~dropped)].min() > LIMIT  # kept pictures are far apart
    assert np.isfinite(apart[np.ix_(~dropped, ~dropped)]).any()  # even where they are linked


def arc(degrees: list[float]) -> np.ndarray:
    """Return descriptors in one plane, at these angles."""
    first, second = np.random.default_rng(0).choice([-1.0, 1.0], (2, duplicates.DIMENSIONS))
    turns = [math.radians(one) for one in degrees]
    rows = np.stack([60 * math.cos(one) * first + 60 * math.sin(one) * second for one in turns])
    return np.rint(rows).astype(np.int8)


@pytest.mark.parametrize(
    ("rank", "duplicate_of"),
    [([0, 1, 2], [0, 0, 2]), ([1, 0, 2], [1, 1, 1]), ([2, 1, 0], [0, 2, 2])],
)
def test_a_chain_is_one_group_whose_ends_are_not_duplicates(
    rank: list[int], duplicate_of: list[int]
):
    chain = arc([0, 12, 24])  # 1 - cos 12 degrees is 0.022, 1 - cos 24 degrees is 0.086
    own, distances, groups = found(chain, rank=np.array(rank))
    assert groups.tolist() == [0, 0, 0]
    assert own.tolist() == duplicate_of
    step = 1 - math.cos(math.radians(12))
    expected = [0 if index == kept else step for index, kept in enumerate(duplicate_of)]
    assert distances == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("best", [0, 1, 2, 3])
def test_the_picture_of_lowest_rank_is_kept(faces: np.ndarray, best: int):
    one = faces[:1]
    versions = [one, *(changed(one, COPIES[name]) for name in ("encoded", "mirrored", "darker"))]
    rows = describe(np.concatenate([faces[1:30], *versions]))
    rank = np.arange(len(rows))
    rank[29 + best] = -1
    assert found(rows, rank=rank)[0].tolist() == [*range(29), *[29 + best] * 4]


def test_pictures_of_a_single_colour_have_no_duplicates(faces: np.ndarray):
    flat = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    flat[1], flat[2:] = 255, (200, 30, 90)
    rows = describe(np.concatenate([faces[:20], flat, faces[:1]]))
    assert not rows[20:24].any()
    assert (distance(rows[20:24], rows[21:25]) == 2).all()
    duplicate_of, _, groups = found(rows, limit=0.5)
    assert duplicate_of[20:24].tolist() == groups[20:24].tolist() == [20, 21, 22, 23]
    assert groups[24] == groups[0]


def counted_fetch(descriptors: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], list[int]]:
    """Return a `Fetch`, and the number of descriptors that each call requests."""
    requested: list[int] = []

    def fetch(rows: np.ndarray) -> np.ndarray:
        requested.append(len(rows))
        return descriptors[rows]

    return fetch, requested


def test_the_cost_grows_linearly_with_the_count(monkeypatch: pytest.MonkeyPatch):
    """The worst case: every neighbour is compared and none is a duplicate."""
    monkeypatch.setattr(duplicates, "MAX_DIFFERENT_BITS", duplicates.BITS)
    few, many = 150, 600
    costs = []
    for count in (few, many):
        fetch, requested = counted_fetch(descriptors_of(count))
        _, _, groups = near_duplicates(count, fetch, LIMIT, np.arange(count))
        assert len(set(groups)) == count
        costs.append(sum(requested) / count)
    assert costs[1] < 1.05 * costs[0]


def test_an_ordinary_set_costs_a_small_fraction_of_all_pairs(faces: np.ndarray):
    fetch, requested = counted_fetch(describe(faces))
    near_duplicates(len(faces), fetch, LIMIT, np.arange(len(faces)))
    assert sum(requested) < 0.1 * len(faces) ** 2
