"""Findings for the review page: counts, suspects, and the contact sheet."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from anime_dcgan.cleaning.findings import SHEET, Findings, Suspect, collect_findings, counts
from anime_dcgan.cleaning.image_stats import SIDE
from anime_dcgan.cleaning.judgement import TESTS, PictureVerdicts, Thresholds, judge_pictures
from anime_dcgan.cleaning.scan import FACELESS, UNREADABLE, Scan
from tests.cleaning.conftest import Shown, descriptors_of, records_of

ScanOf = Callable[..., Scan]

READABLE = 200
COUNT = READABLE + 5


def shown(count: int) -> Shown:
    """Return pictures of a single colour that encodes the index."""
    return Shown(
        np.full((SIDE, SIDE, 3), (1 + row % 250, row // 250, 77), np.uint8) for row in range(count)
    )


def rows_on(sheet: np.ndarray) -> list[int]:
    """Return the indices of the pictures on a contact sheet."""
    middles = sheet[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE].reshape(-1, 3).astype(int)
    return [red - 1 + 250 * green for red, green, blue in middles if blue == 77]


@pytest.fixture
def scan(scan_of: ScanOf) -> Scan:
    """A scan in which each test fails some pictures, with duplicates and unusable pictures."""
    records, descriptors = records_of(COUNT), descriptors_of(COUNT)
    generator = np.random.default_rng(1)
    records["width"][:READABLE] = generator.integers(20, 100, READABLE)
    for name, low, high in (
        ("brightness", 20, 200),
        ("contrast", 10, 80),
        ("colour", 1, 20),
        ("sharpness", 0.3, 1),
        ("outlier_score", -2, 5),
    ):
        records[name][:READABLE] = generator.uniform(low, high, READABLE)
    for row in range(10):
        descriptors[100 + row] = descriptors[110 + row]
        descriptors[100 + row, : 3 * row] = 0
    records["pixels"][120:125] = records["pixels"][125:130]
    unusable = records[READABLE:]
    unusable[:] = np.zeros(1, records.dtype)
    unusable["index"] = np.arange(READABLE, COUNT)
    unusable["state"] = [UNREADABLE, UNREADABLE, FACELESS, FACELESS, FACELESS]
    problems = {READABLE + 1: "Is a directory", READABLE: "truncated"}
    return scan_of(records, descriptors, shown(COUNT), problems)


THRESHOLDS = Thresholds(small=25, dark=30, flat=15, grey=2, blurred=0.35, outlier=4)


@pytest.fixture
def verdicts(scan: Scan) -> PictureVerdicts:
    return judge_pictures(scan, THRESHOLDS, 0.2, 0)


def found(
    scan: Scan,
    verdicts: PictureVerdicts,
    limit: int = 1000,
    borderline: int = 0,
    choices: dict[str, str] | None = None,
    thresholds: Thresholds = THRESHOLDS,
) -> Findings:
    return collect_findings(scan, verdicts, thresholds, choices or {}, "faces", limit, borderline)


def by_reason(suspects: list[Suspect]) -> dict[str, list[Suspect]]:
    reasons = dict.fromkeys(suspect.reason for suspect in suspects)
    return {reason: [one for one in suspects if one.reason == reason] for reason in reasons}


def test_every_picture_is_counted_once(scan: Scan, verdicts: PictureVerdicts):
    named = counts(scan, verdicts)
    assert named[0] == ("all", COUNT)
    assert sum(number for _, number in named[1:]) == COUNT
    assert named[1:4] == [("unreadable", 2), ("no face", 3), ("exact duplicates", 5)]
    assert {name for name, _ in named[4:-2]} == {"near-duplicates", *TESTS}
    kept = dict(named)["kept for training"] + dict(named)["held out"]
    assert kept == verdicts.keep.sum()
    assert dict(named)["held out"] == (verdicts.keep & verdicts.held_out).sum() > 0
    assert found(scan, verdicts).counts == named


def test_pictures_with_a_choice_are_counted_once(scan: Scan, verdicts: PictureVerdicts):
    drop = int(np.flatnonzero(verdicts.keep)[0])
    keep = verdicts.reasons.index("dark")
    choices = {verdicts.keys[drop]: "drop", verdicts.keys[keep]: "keep"}
    before = dict(counts(scan, verdicts))
    named = dict(counts(scan, judge_pictures(scan, THRESHOLDS, 0.2, 0, choices)))
    assert named["dropped by you"] == 1
    assert named["dark"] == before["dark"] - 1
    assert sum(named.values()) == 2 * COUNT


def test_suspects_are_the_dropped_pictures_worst_first(scan: Scan, verdicts: PictureVerdicts):
    groups = by_reason(found(scan, verdicts).suspects)
    assert list(groups) == ["near-duplicate", *TESTS]
    firsts = Counter(reason.split(", ")[0] for reason in verdicts.reasons)
    for reason, suspects in groups.items():
        assert len(suspects) == firsts[reason] > 1
        assert all(one.flagged for one in suspects)
        scores = [one.score for one in suspects]
        assert scores == sorted(scores, reverse=reason == "outlier")
        beyond = [one.score > one.threshold for one in suspects]
        assert set(beyond) == {reason == "outlier"}


def test_suspects_beyond_the_limit_are_counted(scan: Scan, verdicts: PictureVerdicts):
    full, short = found(scan, verdicts), found(scan, verdicts, limit=2)
    assert full.omitted == {}
    every, shortened = by_reason(full.suspects), by_reason(short.suspects)
    for reason, suspects in every.items():
        assert [one.key for one in shortened[reason]] == [one.key for one in suspects[:2]]
        assert short.omitted.get(reason, 0) == max(0, len(suspects) - 2)
    assert short.omitted
    assert found(scan, verdicts, limit=0).suspects == []


@pytest.mark.parametrize("test", TESTS)
def test_borderline_pictures_are_the_kept_ones_closest_to_the_threshold(
    scan: Scan, verdicts: PictureVerdicts, test: str
):
    field = {"small": "width"}.get(test, TESTS[test].score)
    kept = np.minimum(scan.records[field], SIDE if test == "small" else np.inf)[verdicts.keep]
    expected = np.sort(-kept if test == "outlier" else kept)[:7]
    close = by_reason(found(scan, verdicts, limit=0, borderline=7).suspects)[test]
    assert not any(one.flagged for one in close)
    assert np.abs([one.score for one in close]) == pytest.approx(np.abs(expected))
    assert {one.key for one in close} <= set(np.array(verdicts.keys)[verdicts.keep])


def test_borderline_pictures_follow_the_suspects_except_for_duplicates(
    scan: Scan, verdicts: PictureVerdicts
):
    groups = by_reason(found(scan, verdicts, limit=2, borderline=3).suspects)
    for reason, suspects in groups.items():
        flags = [True, True] if reason == "near-duplicate" else [True, True, False, False, False]
        assert [one.flagged for one in suspects] == flags


def test_a_disabled_test_shows_nothing(scan: Scan):
    thresholds = Thresholds(near_duplicate=None, dark=None)
    verdicts = judge_pictures(scan, thresholds, 0.2, 0)
    groups = by_reason(found(scan, verdicts, borderline=5, thresholds=thresholds).suspects)
    assert groups.keys() == TESTS.keys() - {"dark"}


def test_a_suspect_has_all_its_details(scan: Scan, verdicts: PictureVerdicts):
    row = verdicts.reasons.index("dark")
    choices = {verdicts.keys[row]: "keep"}
    decided = judge_pictures(scan, THRESHOLDS, 0.2, 0, choices)
    suspects = by_reason(found(scan, decided, choices=choices).suspects)["dark"]
    (one,) = (suspect for suspect in suspects if suspect.key == verdicts.keys[row])
    record = scan.records[row]
    assert (one.name, one.width, one.height) == (f"shown-{row}", record["width"], SIDE)
    assert (one.score, one.threshold) == (pytest.approx(record["brightness"]), 30)
    assert (one.choice, one.flagged) == ("keep", True)
    assert (one.twin, one.twin_name) == (None, None)
    np.testing.assert_array_equal(one.face, scan.pictures.picture(row))


def test_a_near_duplicate_is_shown_next_to_the_kept_one(scan: Scan, verdicts: PictureVerdicts):
    duplicates = by_reason(found(scan, verdicts).suspects)["near-duplicate"]
    for one in duplicates:
        row = verdicts.keys.index(one.key)
        kept = int(verdicts.duplicate_of[row])
        assert abs(kept - row) == 10
        assert one.twin_name == f"shown-{kept}"
        assert one.twin is not None
        np.testing.assert_array_equal(one.twin, scan.pictures.picture(kept))
        assert (one.score, one.threshold) == (verdicts.distance[row], 0.03)


def test_the_contact_sheet_has_each_kept_face_once_and_no_other(
    scan: Scan, verdicts: PictureVerdicts
):
    sheet = found(scan, verdicts).contact
    kept = np.flatnonzero(verdicts.keep).tolist()
    assert 20 < len(kept) <= SHEET[0] * SHEET[1]
    assert sorted(rows_on(sheet)) == kept
    assert sheet.shape == (-(-len(kept) // SHEET[1]) * SIDE, SHEET[1] * SIDE, 3)


def test_a_full_contact_sheet_is_a_random_sample(scan_of: ScanOf):
    count = 400
    scan = scan_of(records_of(count), pictures=shown(count))
    verdicts = judge_pictures(scan, Thresholds(near_duplicate=None), 0.0, 0)
    sheet = found(scan, verdicts).contact
    assert sheet.shape == (SHEET[0] * SIDE, SHEET[1] * SIDE, 3)
    rows = rows_on(sheet)
    assert len(set(rows)) == SHEET[0] * SHEET[1]
    assert 150 < np.mean(rows) < 250


def test_an_empty_contact_sheet_is_black(scan: Scan, verdicts: PictureVerdicts):
    verdicts.keep[:] = False
    assert not found(scan, verdicts).contact.any()


def test_distributions_have_every_picture_except_duplicates(scan: Scan, verdicts: PictureVerdicts):
    choice = {verdicts.keys[verdicts.reasons.index("near-duplicate")]: "keep"}
    decided = judge_pictures(scan, THRESHOLDS, 0.2, 0, choice)
    shown = found(scan, decided, choices=choice).distributions
    single = decided.duplicate_of == np.arange(COUNT)
    single[READABLE:] = False
    assert (decided.keep & single).sum() == decided.keep.sum() - 1
    assert [one.threshold for one in shown] == [25, 30, 15, 2, 0.35, 4]
    for one, test in zip(shown, TESTS.values(), strict=True):
        assert len(one.kept) == (decided.keep & single).sum()
        assert len(one.kept) + len(one.dropped) == single.sum()
        assert one.threshold is not None
        assert ((one.kept <= one.threshold) if test.above else (one.kept >= one.threshold)).all()


def test_unreadable_pictures_are_noted_in_order(scan: Scan, verdicts: PictureVerdicts):
    assert found(scan, verdicts).notes == ["shown-200: truncated", "shown-201: Is a directory"]
    scan.problems.update({index: "broken" for index in range(100)})
    notes = found(scan, verdicts).notes
    assert notes == [f"shown-{index}: broken" for index in range(20)]
