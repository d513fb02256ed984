"""Findings of a scan for the review page: counts, suspects, distributions, a contact sheet."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Real, UInt8

from anime_dcgan.cleaning.choices import CHOICES
from anime_dcgan.cleaning.judgement import (
    CHOSEN,
    DUPLICATE,
    NEAR_DUPLICATE,
    NO_FACE,
    TESTS,
    UNREADABLE_REASON,
    PictureVerdicts,
    Thresholds,
    score,
)
from anime_dcgan.cleaning.scan import READ, Scan
from anime_dcgan.cleaning.sheets import contact_sheet

MAX_NOTES = 20  # unreadable pictures that are listed
SHEET = (8, 20)  # rows and columns of the contact sheet
UNITS = {
    "brightness": ("Brightness", "mean luminance, 0 to 255"),
    "contrast": ("Contrast", "standard deviation of the luminance"),
    "colour": ("Colour", "strongest minus weakest channel, mean"),
    "sharpness": ("Sharpness", "detail at the finest scale / at the next"),
    "outlier_score": ("Outlier score", "deviations above the median"),
    "side": ("Shorter side", "px"),
}


@dataclass(frozen=True, eq=False)
class Suspect:
    """A picture that fails the test of `reason`, or is borderline.

    `key` is the hex digest of its pixels, under which choices are stored, `name` its path in the
    source, `width` and `height` its own size in px, `twin` the kept picture that it duplicates, and
    `choice` an earlier decision, "keep" or "drop". Without one, a `flagged` picture is dropped.
    """

    key: str
    name: str
    reason: str
    score: float
    threshold: float
    flagged: bool
    width: int
    height: int
    face: UInt8[np.ndarray, "side side 3"]
    twin: UInt8[np.ndarray, "twin_side twin_side 3"] | None = None
    twin_name: str | None = None
    choice: str | None = None

    def __post_init__(self) -> None:
        assert self.choice in (None, *CHOICES), self.choice


@dataclass(frozen=True, eq=False)
class Distribution:
    """The scores of one test, separately for kept and for dropped pictures."""

    name: str
    unit: str
    kept: Real[np.ndarray, " kept"]
    dropped: Real[np.ndarray, " dropped"]
    threshold: float | None = None


@dataclass(frozen=True, eq=False)
class Findings:
    """The content of the review page.

    `counts` are numbers of pictures by name, the total first; `suspects` are sorted worst first
    within a reason; `omitted` counts, by reason, those beyond the page's limit; `contact` is a
    sheet of kept pictures.
    """

    title: str
    counts: list[tuple[str, int]]
    suspects: list[Suspect]
    contact: UInt8[np.ndarray, "height width 3"]
    omitted: dict[str, int] = field(default_factory=dict)
    distributions: list[Distribution] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect_findings(
    scan: Scan,
    verdicts: PictureVerdicts,
    thresholds: Thresholds,
    choices: dict[str, str],
    title: str,
    limit: int,
    borderline: int,
) -> Findings:
    """Collect the content of the review page.

    Parameters:
        limit: maximum number of dropped suspects per reason.
        borderline: number of pictures per test that narrowly passed it.
    """
    reasons = np.array([reason.partition(",")[0] for reason in verdicts.reasons])
    suspects: list[Suspect] = []
    omitted: dict[str, int] = {}
    for name in (NEAR_DUPLICATE, *(test.reason for test in TESTS.values())):
        rows = _worst_first(scan, verdicts, name, np.flatnonzero(reasons == name))
        if len(rows) > limit:
            omitted[name] = len(rows) - limit
        passed = _borderline(scan, verdicts, thresholds, name, borderline)
        for row in [*rows[:limit].tolist(), *passed.tolist()]:
            suspects.append(_suspect(scan, verdicts, thresholds, choices, name, row))
    return Findings(
        title=title,
        counts=counts(scan, verdicts),
        suspects=suspects,
        contact=_contact_sheet(scan, verdicts),
        omitted=omitted,
        distributions=_distributions(scan, verdicts, thresholds),
        notes=_notes(scan),
    )


def counts(scan: Scan, verdicts: PictureVerdicts) -> list[tuple[str, int]]:
    """Return the number of rows, of those dropped for each first reason, and of those kept."""
    dropped = Counter(
        reason.partition(",")[0]
        for reason, keep in zip(verdicts.reasons, verdicts.keep, strict=True)
        if not keep
    )
    named = (DUPLICATE, NEAR_DUPLICATE, *(test.reason for test in TESTS.values()))
    order = (UNREADABLE_REASON, NO_FACE, *named, CHOSEN)
    labels = {
        DUPLICATE: "exact duplicates",
        NEAR_DUPLICATE: "near-duplicates",
        CHOSEN: "dropped by you",
    }
    return [
        ("all", len(verdicts.keep)),
        *((labels.get(reason, reason), dropped[reason]) for reason in order if dropped[reason]),
        ("kept for training", int((verdicts.keep & ~verdicts.held_out).sum())),
        ("held out", int((verdicts.keep & verdicts.held_out).sum())),
    ]


def _test_name(reason: str) -> str | None:
    """Return the name of the test with that reason."""
    return next((name for name, test in TESTS.items() if test.reason == reason), None)


def _worst_first(
    scan: Scan, verdicts: PictureVerdicts, reason: str, rows: np.ndarray
) -> np.ndarray:
    name = _test_name(reason)
    if name is None:
        return rows[np.argsort(verdicts.distance[rows], kind="stable")]
    scores = score(scan.records, TESTS[name].score)[rows]
    return rows[np.argsort(-scores if TESTS[name].above else scores, kind="stable")]


def _borderline(
    scan: Scan, verdicts: PictureVerdicts, thresholds: Thresholds, reason: str, count: int
) -> np.ndarray:
    """Return the kept rows that came closest to failing a test."""
    name = _test_name(reason)
    if name is None or getattr(thresholds, name) is None:
        return np.empty(0, dtype=np.int64)
    rows = np.flatnonzero(verdicts.keep & (np.array(verdicts.reasons) == ""))
    return _worst_first(scan, verdicts, reason, rows)[:count]


def _suspect(
    scan: Scan,
    verdicts: PictureVerdicts,
    thresholds: Thresholds,
    choices: dict[str, str],
    reason: str,
    row: int,
) -> Suspect:
    record, key = scan.records[row], verdicts.keys[row]
    name = _test_name(reason)
    kept = int(verdicts.duplicate_of[row])
    value = verdicts.distance[row] if name is None else score(scan.records, TESTS[name].score)[row]
    return Suspect(
        key=key,
        name=scan.pictures.name(int(record["index"])),
        reason=reason,
        score=float(value),
        threshold=float(getattr(thresholds, name or "near_duplicate")),
        flagged=bool(verdicts.reasons[row]),
        width=int(record["width"]),
        height=int(record["height"]),
        face=scan.face(row),
        twin=scan.face(kept) if kept != row else None,
        twin_name=scan.pictures.name(int(scan.records[kept]["index"])) if kept != row else None,
        choice=choices.get(key),
    )


def _distributions(
    scan: Scan, verdicts: PictureVerdicts, thresholds: Thresholds
) -> list[Distribution]:
    """Return the score distributions of readable pictures, counting duplicates once."""
    single = (scan.records["state"] == READ) & (
        verdicts.duplicate_of == np.arange(len(verdicts.keep))
    )
    found = []
    for name, test in TESTS.items():
        values = score(scan.records, test.score)
        found.append(
            Distribution(
                *UNITS[test.score],
                values[single & verdicts.keep],
                values[single & ~verdicts.keep],
                getattr(thresholds, name),
            )
        )
    return found


def _contact_sheet(scan: Scan, verdicts: PictureVerdicts) -> np.ndarray:
    """Return a random sample of kept faces, row by row."""
    rows, columns = SHEET
    kept = np.flatnonzero(verdicts.keep)
    chosen = np.random.default_rng(0).permutation(kept)[: rows * columns]
    return contact_sheet(scan, chosen, columns)


def _notes(scan: Scan) -> list[str]:
    problems = sorted(scan.problems.items())[:MAX_NOTES]
    return [f"{scan.pictures.name(index)}: {problem}" for index, problem in problems]
