"""Write the report of a run as one HTML page."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anime_dcgan.page import formatting
from anime_dcgan.page.gallery import read_gallery
from anime_dcgan.page.panels import make_marks, make_panels
from anime_dcgan.page.plot import draw
from anime_dcgan.page.render import render, write_page
from anime_dcgan.run.origin import Origin
from anime_dcgan.run.record import QualityRecord, RunRecord, read_record
from anime_dcgan.run.runs import by_epoch, epoch_of

GRIDS = 6
PLAYERS = ("generator", "discriminator")
SHORT_TABLE = 8  # up to this many rows, the table is unfolded


def write_report(run: Path, out: Path, grids: int = GRIDS) -> list[str]:
    """Write the report of the run folder `run` to the HTML file `out`, replacing any file there.

    `grids` epochs are shown side by side. Damaged files of the folder are left out and named on
    the page and in the returned notes. Raises `UserError` if `out` cannot be written.
    """
    page, notes = render_report(run, grids)
    write_page(out, page)
    return notes


def render_report(run: Path, grids: int = GRIDS) -> tuple[str, list[str]]:
    """Return the page that `write_report` writes, and its notes."""
    from markupsafe import Markup

    record = read_record(run)
    gallery = read_gallery(run, record, grids)
    marks = make_marks(record)
    panels = [
        (panel, Markup(draw(panel, marks, record.images or 1.0, number)))
        for number, panel in enumerate(make_panels(record))
    ]
    page = render(
        "report",
        ("enlarge", "report"),
        record=record,
        verdict=formatting.verdict(record.equilibrium),
        facts=_facts(record, _last_epoch(run, record)),
        gallery=gallery,
        panels=panels,
        marks={mark.name for mark in marks},
        columns=_columns(record.quality),
        short_table=SHORT_TABLE,
    )
    return page, record.notes


def _facts(record: RunRecord, last_epoch: float | None) -> list[tuple[str, str, str]]:
    """Return (name, value, detail) of the facts below the verdict."""
    facts = []
    if record.origin is not None:
        facts.append(("Begun from", record.origin.run, _describe_origin(record.origin)))
    if record.images is not None:
        facts.append(("Images seen", f"{record.images / 1000:,.4g} thousand", ""))
    if last_epoch is not None:
        facts.append(("Epochs", formatting.epoch(last_epoch), ""))
    quality = record.quality
    if quality and quality.best:
        best = quality.best
        detail = (
            formatting.images(best.images)
            if best.epoch is None
            else f"at epoch {formatting.epoch(best.epoch)}"
        )
        name = f"Best distance ({quality.headline})"
        facts.append((name, formatting.number(best.values[quality.headline]), detail))
        if quality.headline in quality.floor:
            floor = formatting.number(quality.floor[quality.headline])
            facts.append(("Floor", floor, "real compared with real"))
    return facts


def _describe_origin(origin: Origin) -> str:
    """Return the epoch, images and digest of the checkpoint, and the weights that were taken."""
    at = f"epoch {formatting.epoch(origin.epoch)}, {formatting.images(origin.images)}"
    taken = [
        f"{taken:,} of {total:,} weights of the {name}"
        for name, (taken, total) in origin.taken.items()
        if taken < total and name in PLAYERS
    ]
    return "; ".join([at, *taken, f"SHA-256 {origin.short_digest}"])


def _last_epoch(run: Path, record: RunRecord) -> float | None:
    measurements = record.quality.measurements if record.quality else []
    logged = record.scalars.get("epoch", [])
    epochs: Iterable[Any] = (
        *(each.epoch for each in measurements if each.epoch is not None),
        *(epoch_of(path) for path in by_epoch(run / "samples" / "ema", ".png")[-1:]),
        *(value for _, value in logged[-1:]),
    )
    return max(epochs, default=None)


def _columns(quality: QualityRecord | None) -> list[str]:
    """Return the names of the measured values, the headline first."""
    if quality is None:
        return []
    names = dict.fromkeys(key for each in quality.measurements for key in each.values)
    return sorted(names, key=lambda name: name != quality.headline)  # stable
