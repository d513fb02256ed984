"""Which pictures of a scan are kept, and why the others are not."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from anime_dcgan.cleaning.copies import near_copies
from anime_dcgan.cleaning.scan import FACELESS, READ, UNREADABLE, Scan
from anime_dcgan.data.faces import is_held_out
from anime_dcgan.system.errors import UserError

COPY, NEAR_COPY = "copy", "near copy"
UNREADABLE_REASON, NO_FACE = "unreadable", "no face"
CHOSEN = "your choice"


class Test(NamedTuple):
    """A picture fails it whose `score` is on the wrong side of the threshold of that name."""

    reason: str
    score: str
    above: bool
    """whether scores above the threshold fail, or those below"""


TESTS = {
    "small": Test("small", "side", False),
    "dark": Test("dark", "brightness", False),
    "flat": Test("flat", "contrast", False),
    "grey": Test("grey", "colour", False),
    "blurred": Test("blurred", "sharpness", False),
    "odd": Test("odd", "oddness", True),
}


@dataclass(frozen=True)
class Thresholds:
    """What a picture must reach, or stay below; None passes all.

    Parameters:
        near_copy: distance of two descriptors, 0 to 2; at most this is a near copy.
        small: shorter side, or side of the region, px.
        dark: mean luminance, 0 to 255.
        flat: standard deviation of the luminance, 0 to 128.
        grey: mean difference of the strongest and the weakest channel, 0 to 255.
        blurred: detail at the finest scale over that of the next.
        odd: deviations above the usual.
    """

    near_copy: float | None = 0.03
    small: float | None = 32
    dark: float | None = 45
    flat: float | None = 18
    grey: float | None = 3
    blurred: float | None = 0.42
    odd: float | None = 3.6

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not value >= 0:
                raise UserError(
                    f"thresholds.{field.name}={value} is below 0: use null to leave the test out"
                )
        if self.near_copy is not None and self.near_copy > 0.5:
            raise UserError(
                f"thresholds.near_copy={self.near_copy} makes copies of unlike pictures: use 0.03"
            )


@dataclass(frozen=True, eq=False)
class PictureVerdicts:
    """For each row of a scan."""

    keep: np.ndarray
    """bool, (n,)"""
    reasons: list[str]
    """Why it is not kept, or is kept although: separated by commas, empty for most."""
    copy_of: np.ndarray
    """int64, (n,): the row that it is a copy of, or itself"""
    distance: np.ndarray
    """float32, (n,): to that row; 0 for equal pixels"""
    held_out: np.ndarray
    """bool, (n,)"""
    keys: list[str]
    """The pixels, as 32 hexadecimal digits."""


def judge_pictures(
    scan: Scan,
    thresholds: Thresholds,
    holdout: float,
    seed: int,
    choices: dict[str, str] | None = None,
) -> PictureVerdicts:
    """Judge every row; `choices` by key ("keep" or "drop") have the last word.

    Equal and near copies are linked to groups, and a whole group falls on the same side of the
    split; which side depends on the lowest hash of pixels in it, and on `seed`, alone.
    """
    records = scan.records
    faults = _faults(records, thresholds)
    rank = _rank(records, faults)
    firsts = _equal(records, rank)
    copy_of, distances, groups = _copies(scan, thresholds.near_copy, rank, firsts)
    keys = _keys(records)
    keep = (records["state"] == READ) & (faults == 0) & (copy_of == np.arange(len(records)))
    reasons = _reasons(records, faults, copy_of, firsts)
    for row, choice in _chosen(keys, firsts, choices or {}).items():
        keep[row] = choice == "keep" and records["state"][row] == READ
        reasons[row] = CHOSEN if not reasons[row] else f"{reasons[row]}, {CHOSEN}"
    lowest = np.full(len(records), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, groups, records["pixels"][:, 0])
    held_out = is_held_out(lowest[groups], holdout, seed)
    return PictureVerdicts(keep, reasons, copy_of, distances, held_out, keys)


def score(records: np.ndarray, name: str) -> np.ndarray:
    """What a test looks at, float (n,)."""
    if name != "side":
        return records[name]
    whole = np.minimum(records["width"], records["height"])
    sides = records["region"][:, 2]
    return np.where(sides > 0, sides, whole)


def _faults(records: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Bit k is set where test k is failed: uint8 (n,)."""
    faults = np.zeros(len(records), dtype=np.uint8)
    for bit, (name, test) in enumerate(TESTS.items()):
        threshold = getattr(thresholds, name)
        if threshold is not None:
            scores = score(records, test.score)
            failed = scores > threshold if test.above else scores < threshold
            faults |= np.where(failed & (records["state"] == READ), 1 << bit, 0).astype(np.uint8)
    return faults


def _rank(records: np.ndarray, faults: np.ndarray) -> np.ndarray:
    """int64 (n,): of two copies the one of lower rank is kept.

    Without other faults first, then the larger, then the less compressed, then the earlier one.
    """
    count = len(records)
    area = records["width"].astype(np.int64) * records["height"]
    rank = np.empty(count, dtype=np.int64)
    rank[np.lexsort((np.arange(count), -records["bytes"], -area, faults != 0))] = np.arange(count)
    return rank


def _equal(records: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """int64 (n,): of all rows of the same pixels the one of lowest rank."""
    firsts = np.arange(len(records))
    rows = np.flatnonzero(records["state"] == READ)
    pixels = records["pixels"][rows]
    order = np.lexsort((rank[rows], pixels[:, 1], pixels[:, 0]))
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (pixels[order[1:]] != pixels[order[:-1]]).any(1)
    leaders = np.flatnonzero(is_first)[np.cumsum(is_first) - 1]
    firsts[rows[order]] = rows[order[leaders]]
    return firsts


def _copies(
    scan: Scan, limit: float | None, rank: np.ndarray, firsts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `near_copies`, for all rows: those of equal pixels have one answer."""
    count = len(scan.records)
    copy_of, distances, groups = np.arange(count), np.zeros(count, np.float32), np.arange(count)
    distinct = np.flatnonzero((firsts == np.arange(count)) & (scan.records["state"] == READ))
    if limit is not None:
        near, distances[distinct], linked = near_copies(
            len(distinct), lambda rows: scan.descriptors(distinct[rows]), limit, rank[distinct]
        )
        copy_of[distinct], groups[distinct] = distinct[near], distinct[linked]
    return copy_of[firsts], distances[firsts], groups[firsts]


def _keys(records: np.ndarray) -> list[str]:
    return [f"{high:016x}{low:016x}" for high, low in records["pixels"].tolist()]


def _reasons(
    records: np.ndarray, faults: np.ndarray, copy_of: np.ndarray, firsts: np.ndarray
) -> list[str]:
    by_bits = [
        ", ".join(test.reason for bit, test in enumerate(TESTS.values()) if bits >> bit & 1)
        for bits in range(1 << len(TESTS))
    ]
    reasons = [by_bits[bits] for bits in faults.tolist()]
    for row in np.flatnonzero(copy_of != np.arange(len(copy_of))).tolist():
        reason = NEAR_COPY if firsts[row] == row else COPY
        reasons[row] = reason if not reasons[row] else f"{reason}, {reasons[row]}"
    for state, reason in ((UNREADABLE, UNREADABLE_REASON), (FACELESS, NO_FACE)):
        for row in np.flatnonzero(records["state"] == state).tolist():
            reasons[row] = reason
    return reasons


def _chosen(keys: list[str], firsts: np.ndarray, choices: dict[str, str]) -> dict[int, str]:
    """The choice for each row that it is about: of equal pictures the one that stands for them."""
    if not choices:
        return {}
    leaders = np.flatnonzero(firsts == np.arange(len(firsts))).tolist()
    return {row: choices[keys[row]] for row in leaders if keys[row] in choices}
