"""What the review page is given: every picture counted once, the worst suspects, and a sheet."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from anime_dcgan.cleaning.findings import SHEET, Findings, Suspect, counts, findings
from anime_dcgan.cleaning.image_stats import SIDE
from anime_dcgan.cleaning.judgement import TESTS, PictureVerdicts, Thresholds, judge_pictures
from anime_dcgan.cleaning.scan import FACELESS, UNREADABLE, Scan
from tests.cleaning.conftest import Shown, descriptors_of, records_of

ScanOf = Callable[..., Scan]

READABLE = 200
COUNT = READABLE + 5


def shown(count: int) -> Shown:
    """Pictures of one colour, which says which one it is."""
    return Shown(
        np.full((SIDE, SIDE, 3), (1 + row % 250, row // 250, 77), np.uint8) for row in range(count)
    )


def rows_on(sheet: np.ndarray) -> list[int]:
    """The numbers of the pictures on a contact sheet."""
    middles = sheet[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE].reshape(-1, 3).astype(int)
    return [red - 1 + 250 * green for red, green, blue in middles if blue == 77]


@pytest.fixture
def scan(scan_of: ScanOf) -> Scan:
    """Every test fails some of 200 pictures; 10 are near copies, 5 equal, 5 cannot be used."""
    records, descriptors = records_of(COUNT), descriptors_of(COUNT)
    generator = np.random.default_rng(1)
    records["width"][:READABLE] = generator.integers(20, 100, READABLE)
    for name, low, high in (
        ("brightness", 20, 200),
        ("contrast", 10, 80),
        ("colour", 1, 20),
        ("sharpness", 0.3, 1),
        ("oddness", -2, 5),
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


THRESHOLDS = Thresholds(small=25, dark=30, flat=15, grey=2, blurred=0.35, odd=4)


@pytest.fixture
def verdicts(scan: Scan) -> PictureVerdicts:
    return judge_pictures(scan, THRESHOLDS, 0.2, 0)


def found(
    scan: Scan,
    verdicts: PictureVerdicts,
    limit: int = 1000,
    next_in_line: int = 0,
    choices: dict[str, str] | None = None,
    thresholds: Thresholds = THRESHOLDS,
) -> Findings:
    return findings(scan, verdicts, thresholds, choices or {}, "faces", limit, next_in_line)


def by_reason(suspects: list[Suspect]) -> dict[str, list[Suspect]]:
    reasons = dict.fromkeys(suspect.reason for suspect in suspects)
    return {reason: [one for one in suspects if one.reason == reason] for reason in reasons}


def test_every_picture_is_counted_once(scan: Scan, verdicts: PictureVerdicts):
    named = counts(scan, verdicts)
    assert named[0] == ("all", COUNT)
    assert sum(number for _, number in named[1:]) == COUNT
    assert named[1:4] == [("unreadable", 2), ("no face", 3), ("equal copies", 5)]
    assert {name for name, _ in named[4:-2]} == {"near copies", *TESTS}
    kept = dict(named)["kept for training"] + dict(named)["held out"]
    assert kept == verdicts.keep.sum()
    assert dict(named)["held out"] == (verdicts.keep & verdicts.held_out).sum() > 0
    assert found(scan, verdicts).counts == named


def test_what_a_person_decided_is_counted_once_as_well(scan: Scan, verdicts: PictureVerdicts):
    drop = int(np.flatnonzero(verdicts.keep)[0])
    keep = verdicts.reasons.index("dark")
    choices = {verdicts.keys[drop]: "drop", verdicts.keys[keep]: "keep"}
    before = dict(counts(scan, verdicts))
    named = dict(counts(scan, judge_pictures(scan, THRESHOLDS, 0.2, 0, choices)))
    assert named["dropped by you"] == 1
    assert named["dark"] == before["dark"] - 1
    assert sum(named.values()) == 2 * COUNT


def test_the_suspects_of_a_reason_are_those_it_dropped_and_the_worst_come_first(
    scan: Scan, verdicts: PictureVerdicts
):
    groups = by_reason(found(scan, verdicts).suspects)
    assert list(groups) == ["near copy", *TESTS]
    firsts = Counter(reason.split(", ")[0] for reason in verdicts.reasons)
    for reason, suspects in groups.items():
        assert len(suspects) == firsts[reason] > 1
        assert all(one.flagged for one in suspects)
        scores = [one.score for one in suspects]
        assert scores == sorted(scores, reverse=reason == "odd")
        beyond = [one.score > one.threshold for one in suspects]
        assert set(beyond) == {reason == "odd"}


def test_no_more_suspects_than_the_limit_and_the_others_are_counted(
    scan: Scan, verdicts: PictureVerdicts
):
    whole, short = found(scan, verdicts), found(scan, verdicts, limit=2)
    assert whole.left_out == {}
    every, shortened = by_reason(whole.suspects), by_reason(short.suspects)
    for reason, suspects in every.items():
        assert [one.key for one in shortened[reason]] == [one.key for one in suspects[:2]]
        assert short.left_out.get(reason, 0) == max(0, len(suspects) - 2)
    assert short.left_out
    assert found(scan, verdicts, limit=0).suspects == []


@pytest.mark.parametrize("test", TESTS)
def test_next_in_line_are_the_kept_ones_that_came_closest(
    scan: Scan, verdicts: PictureVerdicts, test: str
):
    field = {"small": "width"}.get(test, TESTS[test].score)
    kept = np.minimum(scan.records[field], SIDE if test == "small" else np.inf)[verdicts.keep]
    expected = np.sort(-kept if test == "odd" else kept)[:7]
    close = by_reason(found(scan, verdicts, limit=0, next_in_line=7).suspects)[test]
    assert not any(one.flagged for one in close)
    assert np.abs([one.score for one in close]) == pytest.approx(np.abs(expected))
    assert {one.key for one in close} <= set(np.array(verdicts.keys)[verdicts.keep])


def test_next_in_line_come_after_the_suspects_and_not_for_copies(
    scan: Scan, verdicts: PictureVerdicts
):
    groups = by_reason(found(scan, verdicts, limit=2, next_in_line=3).suspects)
    for reason, suspects in groups.items():
        flags = [True, True] if reason == "near copy" else [True, True, False, False, False]
        assert [one.flagged for one in suspects] == flags


def test_a_test_that_is_left_out_shows_nothing(scan: Scan):
    thresholds = Thresholds(near_copy=None, dark=None)
    verdicts = judge_pictures(scan, thresholds, 0.2, 0)
    groups = by_reason(found(scan, verdicts, next_in_line=5, thresholds=thresholds).suspects)
    assert groups.keys() == TESTS.keys() - {"dark"}


def test_a_suspect_is_shown_with_what_is_known_of_it(scan: Scan, verdicts: PictureVerdicts):
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


def test_a_near_copy_is_shown_beside_the_one_that_is_kept(scan: Scan, verdicts: PictureVerdicts):
    copies = by_reason(found(scan, verdicts).suspects)["near copy"]
    for one in copies:
        row = verdicts.keys.index(one.key)
        kept = int(verdicts.copy_of[row])
        assert abs(kept - row) == 10
        assert one.twin_name == f"shown-{kept}"
        assert one.twin is not None
        np.testing.assert_array_equal(one.twin, scan.pictures.picture(kept))
        assert (one.score, one.threshold) == (verdicts.distance[row], 0.03)


def test_the_contact_sheet_holds_each_kept_face_once_and_no_other(
    scan: Scan, verdicts: PictureVerdicts
):
    sheet = found(scan, verdicts).contact
    kept = np.flatnonzero(verdicts.keep).tolist()
    assert 20 < len(kept) <= SHEET[0] * SHEET[1]
    assert sorted(rows_on(sheet)) == kept
    assert sheet.shape == (-(-len(kept) // SHEET[1]) * SIDE, SHEET[1] * SIDE, 3)


def test_a_full_contact_sheet_is_drawn_at_random_from_all(scan_of: ScanOf):
    count = 400
    scan = scan_of(records_of(count), pictures=shown(count))
    verdicts = judge_pictures(scan, Thresholds(near_copy=None), 0.0, 0)
    sheet = found(scan, verdicts).contact
    assert sheet.shape == (SHEET[0] * SIDE, SHEET[1] * SIDE, 3)
    rows = rows_on(sheet)
    assert len(set(rows)) == SHEET[0] * SHEET[1]
    assert 150 < np.mean(rows) < 250


def test_a_contact_sheet_of_nothing_is_black(scan: Scan, verdicts: PictureVerdicts):
    verdicts.keep[:] = False
    assert not found(scan, verdicts).contact.any()


def test_distributions_hold_every_picture_that_is_no_copy(scan: Scan, verdicts: PictureVerdicts):
    choice = {verdicts.keys[verdicts.reasons.index("near copy")]: "keep"}
    decided = judge_pictures(scan, THRESHOLDS, 0.2, 0, choice)
    shown = found(scan, decided, choices=choice).distributions
    single = decided.copy_of == np.arange(COUNT)
    single[READABLE:] = False
    assert (decided.keep & single).sum() == decided.keep.sum() - 1
    assert [one.threshold for one in shown] == [25, 30, 15, 2, 0.35, 4]
    for one, test in zip(shown, TESTS.values(), strict=True):
        assert len(one.kept) == (decided.keep & single).sum()
        assert len(one.kept) + len(one.dropped) == single.sum()
        assert one.threshold is not None
        assert ((one.kept <= one.threshold) if test.above else (one.kept >= one.threshold)).all()


def test_what_could_not_be_read_is_noted_in_the_order_of_the_pictures(
    scan: Scan, verdicts: PictureVerdicts
):
    assert found(scan, verdicts).notes == ["shown-200: truncated", "shown-201: Is a directory"]
    scan.problems.update({index: "broken" for index in range(100)})
    notes = found(scan, verdicts).notes
    assert notes == [f"shown-{index}: broken" for index in range(20)]
