"""Verdicts on pictures: reasons, the kept duplicate, and the side of the split."""

import math
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from anime_dcgan.cleaning.judgement import TESTS, PictureVerdicts, Thresholds, judge_pictures
from anime_dcgan.cleaning.scan import FACELESS, UNREADABLE, Scan
from anime_dcgan.system.errors import UserError
from tests.cleaning.conftest import descriptors_of, records_of

ScanOf = Callable[..., Scan]

DROPPED = {
    "small": ("width", 31),
    "dark": ("brightness", 44.9),
    "flat": ("contrast", 17.9),
    "grey": ("colour", 2.9),
    "blurred": ("sharpness", 0.419),
    "outlier": ("outlier_score", 3.61),
}
"""For each threshold: a field of the record and a value on the wrong side of the default."""

PASSED = {"width": 32, "brightness": 45, "contrast": 18, "colour": 3, "sharpness": 0.42}


DEFAULTS = Thresholds()
EQUAL_ONLY = Thresholds(near_duplicate=None)


def judged(
    scan: Scan,
    choices: dict[str, str] | None = None,
    thresholds: Thresholds = DEFAULTS,
    holdout: float = 0.3,
    seed: int = 0,
) -> PictureVerdicts:
    return judge_pictures(scan, thresholds, holdout, seed, choices)


def key(verdicts: PictureVerdicts, row: int) -> str:
    return verdicts.keys[row]


def test_every_threshold_has_a_value():
    assert set(DROPPED) == set(TESTS)
    assert {field.name for field in fields(Thresholds)} == {"near_duplicate", *TESTS}


@pytest.mark.parametrize("name", DROPPED)
def test_a_picture_beyond_a_threshold_is_dropped_for_that_reason(scan_of: ScanOf, name: str):
    field, value = DROPPED[name]
    records = records_of(3)
    records[field][1] = value
    scan = scan_of(records)
    verdicts = judged(scan)
    assert verdicts.keep.tolist() == [True, False, True]
    assert verdicts.reasons == ["", name, ""]
    without = judged(scan, thresholds=Thresholds(**{name: None}))
    assert without.keep.all()
    assert without.reasons == ["", "", ""]


@pytest.mark.parametrize("field", PASSED)
def test_a_picture_exactly_at_a_threshold_is_kept(scan_of: ScanOf, field: str):
    records = records_of(1)
    records[field] = PASSED[field]
    assert judged(scan_of(records)).keep.all()


def test_all_reasons_are_given(scan_of: ScanOf):
    records = records_of(1)
    for field, value in DROPPED.values():
        records[field] = value
    assert judged(scan_of(records)).reasons == ["small, dark, flat, grey, blurred, outlier"]


def test_the_size_of_a_region_is_its_own_side(scan_of: ScanOf):
    records = records_of(3)
    records["width"], records["height"] = 500, 400
    records["region"][:2, 2] = 31, 32
    assert judged(scan_of(records)).reasons == ["small", "", ""]
    assert judged(scan_of(records), thresholds=Thresholds(small=401)).reasons == [
        "small",
        "small",
        "small",
    ]


@pytest.mark.parametrize("name", [field.name for field in fields(Thresholds)])
@pytest.mark.parametrize("value", [-0.1, -math.inf, math.nan])
def test_invalid_thresholds_are_rejected(name: str, value: float):
    with pytest.raises(UserError, match=rf"thresholds\.{name}={value} .*use null"):
        Thresholds(**{name: value})


def test_a_distance_that_would_link_everything_is_rejected():
    assert Thresholds(near_duplicate=0.5).near_duplicate == 0.5
    with pytest.raises(UserError, match=r"thresholds\.near_duplicate=0\.51 .*use 0\.03"):
        Thresholds(near_duplicate=0.51)


def equal(count: int, seed: int = 0) -> np.ndarray:
    """Return records with the same pixels."""
    records = records_of(count, seed)
    records["pixels"] = records["pixels"][0]
    return records


def alike(count: int, seed: int = 0) -> np.ndarray:
    """Return almost equal descriptors."""
    rows = np.repeat(descriptors_of(1, seed), count, axis=0)
    rows[:, :10] = descriptors_of(count, seed + 1)[:, :10]
    return rows


BETTER = {
    "faultless": ("brightness", 10, 128),
    "larger": ("width", 64, 65),
    "less compressed": ("bytes", 1000, 1001),
}
"""A field of the record, its value for the others and for the kept one."""


@pytest.mark.parametrize("better", BETTER)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_better_near_duplicate_is_kept(scan_of: ScanOf, better: str, position: int):
    field, others, own = BETTER[better]
    records = records_of(3)
    records[field] = others
    records[field][position] = own
    verdicts = judged(scan_of(records, alike(3)))
    assert verdicts.keep.tolist() == [row == position for row in range(3)]
    assert verdicts.duplicate_of.tolist() == [position] * 3
    for row in {0, 1, 2} - {position}:
        assert verdicts.reasons[row].split(", ")[0] == "near-duplicate"
        assert 0 < verdicts.distance[row] < 0.03


def test_faults_outweigh_size_and_size_outweighs_compression(scan_of: ScanOf):
    records = records_of(3)
    records["width"], records["bytes"] = [300, 100, 99], [9000, 10, 9000]
    records["outlier_score"][0] = 9
    verdicts = judged(scan_of(records, alike(3)))
    assert verdicts.reasons == ["near-duplicate, outlier", "", "near-duplicate"]


def test_of_exact_duplicates_the_least_compressed_then_the_first_is_kept(
    scan_of: ScanOf,
):
    records = equal(4)
    rows = np.repeat(descriptors_of(1), 4, axis=0)
    verdicts = judged(scan_of(records, rows))
    assert verdicts.reasons == ["", "duplicate", "duplicate", "duplicate"]
    assert verdicts.duplicate_of.tolist() == [0, 0, 0, 0]
    assert verdicts.distance.tolist() == [0, 0, 0, 0]
    records["bytes"][2] = 1001
    assert judged(scan_of(records, rows)).duplicate_of.tolist() == [2, 2, 2, 2]


def test_exact_duplicates_are_found_with_the_near_duplicate_test_disabled(scan_of: ScanOf):
    records = np.concatenate([equal(2), records_of(1, 7)])
    verdicts = judged(scan_of(records, alike(3)), thresholds=EQUAL_ONLY)
    assert verdicts.reasons == ["", "duplicate", ""]


def test_an_exact_duplicate_of_a_near_duplicate_points_to_the_kept_picture(scan_of: ScanOf):
    records = np.concatenate([equal(2), records_of(1, 7)])
    records["width"][2] = 65
    rows = alike(2)[[0, 0, 1]]
    verdicts = judged(scan_of(records, rows))
    assert verdicts.reasons == ["near-duplicate", "duplicate", ""]
    assert verdicts.duplicate_of.tolist() == [2, 2, 2]
    assert verdicts.distance[0] == verdicts.distance[1] > 0


def test_a_faulty_picture_without_a_better_duplicate_is_still_dropped(scan_of: ScanOf):
    records = records_of(2)
    records["brightness"] = 10
    verdicts = judged(scan_of(records, alike(2)))
    assert verdicts.reasons == ["dark", "near-duplicate, dark"]
    assert not verdicts.keep.any()


def test_choices_override_the_tests(scan_of: ScanOf):
    records = records_of(4)
    records["brightness"][1:3] = 10
    scan = scan_of(records)
    before = judged(scan)
    assert before.keep.tolist() == [True, False, False, True]
    choices = {key(before, 1): "keep", key(before, 3): "drop", "f" * 32: "drop"}
    after = judged(scan, choices)
    assert after.keep.tolist() == [True, True, False, False]
    assert after.reasons == ["", "dark, your choice", "dark", "your choice"]
    np.testing.assert_array_equal(after.held_out, before.held_out)


def test_a_choice_restores_a_near_duplicate_next_to_the_kept_one(scan_of: ScanOf):
    scan = scan_of(records_of(3), alike(3))
    verdicts = judged(scan, {key(judged(scan), 1): "keep"})
    assert verdicts.keep.tolist() == [True, True, False]
    assert verdicts.reasons == ["", "near-duplicate, your choice", "near-duplicate"]


@pytest.mark.parametrize("choice", ["keep", "drop"])
def test_a_choice_restores_at_most_one_of_exact_duplicates(scan_of: ScanOf, choice: str):
    records = equal(3)
    records["brightness"] = 10
    scan = scan_of(records, np.repeat(descriptors_of(1), 3, axis=0))
    assert not judged(scan).keep.any()
    verdicts = judged(scan, {key(judged(scan), 2): choice})
    assert verdicts.keep.sum() == (choice == "keep")


def test_unreadable_and_faceless_pictures_are_dropped_whatever_is_chosen(scan_of: ScanOf):
    records = records_of(4)
    records[1:3] = np.zeros(2, records.dtype)
    records["index"], records["state"][1:3] = np.arange(4), (UNREADABLE, FACELESS)
    scan = scan_of(records)
    before = judged(scan)
    assert before.keep.tolist() == [True, False, False, True]
    assert before.reasons == ["", "unreadable", "no face", ""]
    assert before.duplicate_of.tolist() == [0, 1, 2, 3]
    after = judged(scan, {key(before, 1): "keep", key(before, 2): "keep"})
    assert after.keep.tolist() == [True, False, False, True]


def test_a_scan_of_only_unreadable_pictures_has_verdicts(scan_of: ScanOf):
    records = np.zeros(2, records_of(0).dtype)
    records["state"] = UNREADABLE
    assert judged(scan_of(records)).reasons == ["unreadable", "unreadable"]


GROUPS = 60


def grouped() -> tuple[np.ndarray, np.ndarray]:
    """Return 60 groups, shuffled: three near-duplicates and an exact duplicate of the last one."""
    records = records_of(4 * GROUPS)
    records["pixels"][3::4] = records["pixels"][2::4]
    rows = np.concatenate([alike(4, 10 * group) for group in range(GROUPS)])
    rows[3::4] = rows[2::4]
    order = np.random.default_rng(5).permutation(len(records))
    return records[order], rows[order]


def test_duplicates_never_fall_on_both_sides_of_the_split(scan_of: ScanOf):
    records, rows = grouped()
    group = np.random.default_rng(5).permutation(len(records)) // 4
    verdicts = judged(scan_of(records, rows), holdout=0.5)
    assert verdicts.keep.sum() == GROUPS
    sides = [set(verdicts.held_out[group == number].tolist()) for number in range(GROUPS)]
    assert all(len(side) == 1 for side in sides)
    assert 0.25 < np.mean([True in side for side in sides]) < 0.75


def by_key(verdicts: PictureVerdicts) -> dict[str, bool]:
    """Return for each key whether it is held out."""
    return dict(zip(verdicts.keys, verdicts.held_out.tolist(), strict=True))


def test_adding_pictures_does_not_change_the_split(scan_of: ScanOf):
    records, rows = grouped()
    before = by_key(judged(scan_of(records, rows)))
    more = np.concatenate([records_of(50, 99), records])
    after = by_key(judged(scan_of(more, np.concatenate([descriptors_of(50, 999), rows]))))
    assert before.items() < after.items()
    assert len(after) == len(before) + 50


def test_order_and_quality_of_the_pictures_do_not_change_the_split(scan_of: ScanOf):
    """Names do not either: verdicts never depend on them."""
    records, rows = grouped()
    before = by_key(judged(scan_of(records, rows)))
    order = np.random.default_rng(6).permutation(len(records))
    records["bytes"] = np.random.default_rng(7).integers(1, 9000, len(records))
    records["index"] = order
    again = judged(scan_of(records[order], rows[order]))
    assert by_key(again) == before
    assert set(before.values()) == {True, False}


def test_removing_pictures_of_other_groups_does_not_change_the_split(scan_of: ScanOf):
    records, rows = grouped()
    before = by_key(judged(scan_of(records, rows)))
    group = np.random.default_rng(5).permutation(len(records)) // 4
    fewer = group < GROUPS // 2
    after = by_key(judged(scan_of(records[fewer], rows[fewer])))
    assert after.items() < before.items()


@pytest.mark.parametrize("fraction", [0.05, 0.5])
def test_about_the_requested_fraction_is_held_out(scan_of: ScanOf, fraction: float):
    count = 4000
    scan = scan_of(records_of(count), np.zeros((1, 1024), np.int8))
    held_out = judged(scan, holdout=fraction, thresholds=EQUAL_ONLY).held_out.mean()
    assert held_out == pytest.approx(fraction, abs=4 * math.sqrt(fraction * (1 - fraction) / count))
    assert not judged(scan, holdout=0.0, thresholds=EQUAL_ONLY).held_out.any()


def test_another_seed_gives_another_split(scan_of: ScanOf):
    scan = scan_of(records_of(400))
    one, again, other = (
        judged(scan, holdout=0.5, seed=seed, thresholds=EQUAL_ONLY).held_out for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert 0.3 < (one != other).mean() < 0.7  # like two coins


def test_a_larger_fraction_holds_out_a_superset(scan_of: ScanOf):
    scan = scan_of(records_of(400))
    small, large = (judged(scan, holdout=one, thresholds=EQUAL_ONLY).held_out for one in (0.1, 0.3))
    assert (large[small]).all()
    assert large.sum() > small.sum() > 0


def test_judging_does_not_modify_the_scan(scan_of: ScanOf):
    records, rows = grouped()
    scan = scan_of(records.copy(), rows)
    judged(scan)
    np.testing.assert_array_equal(scan.records, records)
