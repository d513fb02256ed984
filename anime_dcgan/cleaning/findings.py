"""What a scan found, as the review page shows it: counts, suspects, distributions, a sheet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Real, UInt8

from anime_dcgan.cleaning.choices import CHOICES
from anime_dcgan.cleaning.image_stats import SIDE
from anime_dcgan.cleaning.judgement import (
    CHOSEN,
    COPY,
    NEAR_COPY,
    NO_FACE,
    TESTS,
    UNREADABLE_REASON,
    PictureVerdicts,
    Thresholds,
    score,
)
from anime_dcgan.cleaning.scan import READ, Scan

SHEET = (8, 20)  # rows and columns of the contact sheet
UNITS = {
    "brightness": ("Brightness", "mean luminance, 0 to 255"),
    "contrast": ("Contrast", "deviation of the luminance"),
    "colour": ("Colour", "strongest less weakest channel, mean"),
    "sharpness": ("Sharpness", "finest detail over the next"),
    "oddness": ("Oddness", "deviations above the usual"),
    "side": ("Shorter side", "px"),
}


@dataclass(frozen=True, eq=False)
class Suspect:
    """A picture that one reason speaks against, or that is next in line for that.

    `key` is the hex digest of its pixels, under which a choice is kept, `name` its path in the
    source, `width` and `height` its own size in px, `twin` what it is a copy of, which is kept, and
    `choice` an earlier decision, "keep" or "drop". Without one, what is `flagged` is dropped.
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
    """What one test measured of the pictures that it kept and of those that it dropped."""

    name: str
    unit: str
    kept: Real[np.ndarray, " kept"]
    dropped: Real[np.ndarray, " dropped"]
    threshold: float | None = None


@dataclass(frozen=True, eq=False)
class Findings:
    """All that the page shows.

    `counts` are numbers of pictures by name, all of them first; `suspects` come worst first within
    a reason; `left_out` counts those of a reason that the page has no room for; `contact` is a
    sheet of kept pictures.
    """

    title: str
    counts: list[tuple[str, int]]
    suspects: list[Suspect]
    contact: UInt8[np.ndarray, "height width 3"]
    left_out: dict[str, int] = field(default_factory=dict)
    distributions: list[Distribution] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def findings(
    scan: Scan,
    verdicts: PictureVerdicts,
    thresholds: Thresholds,
    choices: dict[str, str],
    title: str,
    limit: int,
    next_in_line: int,
) -> Findings:
    """All that the page needs.

    Parameters:
        limit: suspects of each reason that are shown, those that are dropped.
        next_in_line: of each test, how many of those that just passed it.
    """
    reasons = np.array([reason.partition(",")[0] for reason in verdicts.reasons])
    suspects: list[Suspect] = []
    left_out: dict[str, int] = {}
    for name in (NEAR_COPY, *(test.reason for test in TESTS.values())):
        rows = _worst_first(scan, verdicts, name, np.flatnonzero(reasons == name))
        if len(rows) > limit:
            left_out[name] = len(rows) - limit
        close = _next_in_line(scan, verdicts, thresholds, name, next_in_line)
        for row in [*rows[:limit].tolist(), *close.tolist()]:
            suspects.append(_suspect(scan, verdicts, thresholds, choices, name, row))
    return Findings(
        title=title,
        counts=counts(scan, verdicts),
        suspects=suspects,
        contact=_contact_sheet(scan, verdicts),
        left_out=left_out,
        distributions=_distributions(scan, verdicts, thresholds),
        notes=_notes(scan),
    )


def counts(scan: Scan, verdicts: PictureVerdicts) -> list[tuple[str, int]]:
    """How many rows there are, how many are left out for each first reason, and what remains."""
    dropped = Counter(
        reason.partition(",")[0]
        for reason, keep in zip(verdicts.reasons, verdicts.keep, strict=True)
        if not keep
    )
    named = (COPY, NEAR_COPY, *(test.reason for test in TESTS.values()))
    order = (UNREADABLE_REASON, NO_FACE, *named, CHOSEN)
    plural = {COPY: "equal copies", NEAR_COPY: "near copies", CHOSEN: "dropped by you"}
    return [
        ("all", len(verdicts.keep)),
        *((plural.get(reason, reason), dropped[reason]) for reason in order if dropped[reason]),
        ("kept for training", int((verdicts.keep & ~verdicts.held_out).sum())),
        ("held out", int((verdicts.keep & verdicts.held_out).sum())),
    ]


def _test(reason: str) -> str | None:
    """The name of the test with that reason."""
    return next((name for name, test in TESTS.items() if test.reason == reason), None)


def _worst_first(
    scan: Scan, verdicts: PictureVerdicts, reason: str, rows: np.ndarray
) -> np.ndarray:
    name = _test(reason)
    if name is None:
        return rows[np.argsort(verdicts.distance[rows], kind="stable")]
    scores = score(scan.records, TESTS[name].score)[rows]
    return rows[np.argsort(-scores if TESTS[name].above else scores, kind="stable")]


def _next_in_line(
    scan: Scan, verdicts: PictureVerdicts, thresholds: Thresholds, reason: str, count: int
) -> np.ndarray:
    """The kept rows that came closest to failing a test."""
    name = _test(reason)
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
    name = _test(reason)
    kept = int(verdicts.copy_of[row])
    value = verdicts.distance[row] if name is None else score(scan.records, TESTS[name].score)[row]
    return Suspect(
        key=key,
        name=scan.pictures.name(int(record["index"])),
        reason=reason,
        score=float(value),
        threshold=float(getattr(thresholds, name or "near_copy")),
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
    """Of what could be read and is no copy: copies would count a picture twice."""
    single = (scan.records["state"] == READ) & (verdicts.copy_of == np.arange(len(verdicts.keep)))
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
    """Kept faces at random, row by row."""
    rows, columns = SHEET
    kept = np.flatnonzero(verdicts.keep)
    chosen = np.random.default_rng(0).permutation(kept)[: rows * columns]
    sheet = np.zeros((max(1, -(-len(chosen) // columns)) * SIDE, columns * SIDE, 3), np.uint8)
    for place, row in enumerate(chosen.tolist()):
        down, across = place // columns * SIDE, place % columns * SIDE
        sheet[down : down + SIDE, across : across + SIDE] = scan.face(row)
    return sheet


def _notes(scan: Scan) -> list[str]:
    return [
        f"{scan.pictures.name(index)}: {problem}" for index, problem in _first(scan.problems, 20)
    ]


def _first(problems: dict[int, str], count: int) -> Sequence[tuple[int, str]]:
    return sorted(problems.items())[:count]
