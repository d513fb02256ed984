"""Decide which pictures of a scan are kept, and state why the others are dropped."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from anime_dcgan.cleaning.duplicates import near_duplicates
from anime_dcgan.cleaning.scan import FACELESS, READ, UNREADABLE, Scan
from anime_dcgan.data.faces import is_held_out
from anime_dcgan.system.errors import UserError

DUPLICATE, NEAR_DUPLICATE = "duplicate", "near-duplicate"
UNREADABLE_REASON, NO_FACE = "unreadable", "no face"
CHOSEN = "your choice"


class Test(NamedTuple):
    """A test that a picture fails if its `score` is on the wrong side of the threshold."""

    reason: str
    score: str
    above: bool
    """True if scores above the threshold fail, False if those below it do"""


TESTS = {
    "small": Test("small", "side", False),
    "dark": Test("dark", "brightness", False),
    "flat": Test("flat", "contrast", False),
    "grey": Test("grey", "colour", False),
    "blurred": Test("blurred", "sharpness", False),
    "outlier": Test("outlier", "outlier_score", True),
}


@dataclass(frozen=True)
class Thresholds:
    """Limits of the tests; None disables a test.

    Parameters:
        near_duplicate: maximum distance, 0 to 2, of the descriptors of near-duplicates.
        small: minimum shorter side, or side of the region, px.
        dark: minimum mean luminance, 0 to 255.
        flat: minimum standard deviation of the luminance, 0 to 128.
        grey: minimum mean difference of the strongest and the weakest channel, 0 to 255.
        blurred: minimum ratio of the detail at the finest scale to that at the next.
        outlier: maximum outlier score, in robust deviations above the median.
    """

    near_duplicate: float | None = 0.03
    small: float | None = 32
    dark: float | None = 45
    flat: float | None = 18
    grey: float | None = 3
    blurred: float | None = 0.42
    outlier: float | None = 3.6

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not value >= 0:
                raise UserError(
                    f"thresholds.{field.name}={value} is negative: use null to disable the test"
                )
        if self.near_duplicate is not None and self.near_duplicate > 0.5:
            raise UserError(
                f"thresholds.near_duplicate={self.near_duplicate} would match unrelated pictures: "
                "use 0.03"
            )


@dataclass(frozen=True, eq=False)
class PictureVerdicts:
    """The verdict on each row of a scan."""

    keep: np.ndarray
    """bool, (n,)"""
    reasons: list[str]
    """For each row, the failed tests and the user's choice, separated by commas; empty if none."""
    duplicate_of: np.ndarray
    """int64, (n,): the row that it duplicates, or its own"""
    distance: np.ndarray
    """float32, (n,): distance to that row; 0 for equal pixels"""
    held_out: np.ndarray
    """bool, (n,)"""
    keys: list[str]
    """Digests of the pixels, 32 hexadecimal digits."""


def judge_pictures(
    scan: Scan,
    thresholds: Thresholds,
    holdout: float,
    seed: int,
    choices: dict[str, str] | None = None,
) -> PictureVerdicts:
    """Return the verdicts on all rows; `choices` ("keep" or "drop", by key) override the tests.

    Duplicates and near-duplicates form groups, and all members of a group fall on the same side of
    the hold-out split; the side depends only on the lowest pixel hash of the group and on `seed`.
    """
    records = scan.records
    faults = _faults(records, thresholds)
    rank = _rank(records, faults)
    firsts = _exact_duplicates(records, rank)
    duplicate_of, distances, groups = _near_duplicates(
        scan, thresholds.near_duplicate, rank, firsts
    )
    keys = _keys(records)
    keep = (records["state"] == READ) & (faults == 0) & (duplicate_of == np.arange(len(records)))
    reasons = _reasons(records, faults, duplicate_of, firsts)
    for row, choice in _chosen_rows(keys, firsts, choices or {}).items():
        keep[row] = choice == "keep" and records["state"][row] == READ
        reasons[row] = CHOSEN if not reasons[row] else f"{reasons[row]}, {CHOSEN}"
    lowest = np.full(len(records), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, groups, records["pixels"][:, 0])
    held_out = is_held_out(lowest[groups], holdout, seed)
    return PictureVerdicts(keep, reasons, duplicate_of, distances, held_out, keys)


def score(records: np.ndarray, name: str) -> np.ndarray:
    """Return the scores that a test compares with its threshold, float (n,)."""
    if name != "side":
        return records[name]
    shorter = np.minimum(records["width"], records["height"])
    sides = records["region"][:, 2]
    return np.where(sides > 0, sides, shorter)


def _faults(records: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Return the failed tests as bits, test k as bit k: uint8 (n,)."""
    faults = np.zeros(len(records), dtype=np.uint8)
    for bit, (name, test) in enumerate(TESTS.items()):
        threshold = getattr(thresholds, name)
        if threshold is not None:
            scores = score(records, test.score)
            failed = scores > threshold if test.above else scores < threshold
            faults |= np.where(failed & (records["state"] == READ), 1 << bit, 0).astype(np.uint8)
    return faults


def _rank(records: np.ndarray, faults: np.ndarray) -> np.ndarray:
    """Return the ranks, int64 (n,): of two duplicates the one with the lower rank is kept.

    Rows without other faults come first, then larger ones, less compressed ones, earlier ones.
    """
    count = len(records)
    area = records["width"].astype(np.int64) * records["height"]
    rank = np.empty(count, dtype=np.int64)
    rank[np.lexsort((np.arange(count), -records["bytes"], -area, faults != 0))] = np.arange(count)
    return rank


def _exact_duplicates(records: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return, for each row, the row of lowest rank with the same pixels: int64 (n,)."""
    firsts = np.arange(len(records))
    rows = np.flatnonzero(records["state"] == READ)
    pixels = records["pixels"][rows]
    order = np.lexsort((rank[rows], pixels[:, 1], pixels[:, 0]))
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (pixels[order[1:]] != pixels[order[:-1]]).any(1)
    leaders = np.flatnonzero(is_first)[np.cumsum(is_first) - 1]
    firsts[rows[order]] = rows[order[leaders]]
    return firsts


def _near_duplicates(
    scan: Scan, limit: float | None, rank: np.ndarray, firsts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Extend `near_duplicates` to all rows: rows with equal pixels share one result."""
    count = len(scan.records)
    duplicate_of, distances, groups = (
        np.arange(count),
        np.zeros(count, np.float32),
        np.arange(count),
    )
    distinct = np.flatnonzero((firsts == np.arange(count)) & (scan.records["state"] == READ))
    if limit is not None:
        near, distances[distinct], linked = near_duplicates(
            len(distinct), lambda rows: scan.descriptors(distinct[rows]), limit, rank[distinct]
        )
        duplicate_of[distinct], groups[distinct] = distinct[near], distinct[linked]
    return duplicate_of[firsts], distances[firsts], groups[firsts]


def _keys(records: np.ndarray) -> list[str]:
    return [f"{high:016x}{low:016x}" for high, low in records["pixels"].tolist()]


def _reasons(
    records: np.ndarray, faults: np.ndarray, duplicate_of: np.ndarray, firsts: np.ndarray
) -> list[str]:
    by_bits = [
        ", ".join(test.reason for bit, test in enumerate(TESTS.values()) if bits >> bit & 1)
        for bits in range(1 << len(TESTS))
    ]
    reasons = [by_bits[bits] for bits in faults.tolist()]
    for row in np.flatnonzero(duplicate_of != np.arange(len(duplicate_of))).tolist():
        reason = NEAR_DUPLICATE if firsts[row] == row else DUPLICATE
        reasons[row] = reason if not reasons[row] else f"{reason}, {reasons[row]}"
    for state, reason in ((UNREADABLE, UNREADABLE_REASON), (FACELESS, NO_FACE)):
        for row in np.flatnonzero(records["state"] == state).tolist():
            reasons[row] = reason
    return reasons


def _chosen_rows(keys: list[str], firsts: np.ndarray, choices: dict[str, str]) -> dict[int, str]:
    """Return the choice for each row that it applies to: the first of each set of duplicates."""
    if not choices:
        return {}
    leaders = np.flatnonzero(firsts == np.arange(len(firsts))).tolist()
    return {row: choices[keys[row]] for row in leaders if keys[row] in choices}
