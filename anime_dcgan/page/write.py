"""The page itself: the parts of the report put into its template."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anime_dcgan.page import formatting
from anime_dcgan.page.gallery import gallery_of
from anime_dcgan.page.panels import marks_of, panels_of
from anime_dcgan.page.plot import draw
from anime_dcgan.page.render import render, write_page
from anime_dcgan.run.record import Quality, Record, read_record
from anime_dcgan.run.runs import by_epoch, epoch_of

GRIDS = 6
SHORT_TABLE = 8  # rows that are shown without being asked for


def write_report(run: Path, out: Path, grids: int = GRIDS) -> list[str]:
    """Write the report of the run folder `run` to the HTML file `out`, whatever was there before.

    `grids` epochs stand side by side. What was damaged in the folder is left out and told: on the
    page, and by the lines that are returned. UserError if `out` cannot be written.
    """
    page, notes = _render(run, grids)
    write_page(out, page)
    return notes


def _render(run: Path, grids: int) -> tuple[str, list[str]]:
    from markupsafe import Markup

    record = read_record(run)
    gallery = gallery_of(run, record, grids)
    marks = marks_of(record)
    panels = [
        (panel, Markup(draw(panel, marks, record.images or 1.0, number)))
        for number, panel in enumerate(panels_of(record))
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


def _facts(record: Record, last_epoch: float | None) -> list[tuple[str, str, str]]:
    """(what, how much, where) of the figures below the verdict."""
    facts = []
    if record.images is not None:
        facts.append(("Images seen", f"{record.images / 1000:,.4g} thousand", ""))
    if last_epoch is not None:
        facts.append(("Epochs", formatting.epoch(last_epoch), ""))
    quality = record.quality
    if quality and quality.best:
        best = quality.best
        known = best.epoch is not None
        where = (
            f"at epoch {formatting.epoch(best.epoch)}" if known else formatting.images(best.images)
        )
        name = f"Best distance ({quality.headline})"
        facts.append((name, formatting.number(best.values[quality.headline]), where))
        if quality.headline in quality.floor:
            floor = formatting.number(quality.floor[quality.headline])
            facts.append(("Floor", floor, "real against real"))
    return facts


def _last_epoch(run: Path, record: Record) -> float | None:
    observations = record.quality.observations if record.quality else []
    logged = record.scalars.get("epoch", [])
    known: Iterable[Any] = (
        *(seen.epoch for seen in observations if seen.epoch is not None),
        *(epoch_of(path) for path in by_epoch(run / "samples" / "ema", ".png")[-1:]),
        *(value for _, value in logged[-1:]),
    )
    return max(known, default=None)


def _columns(quality: Quality | None) -> list[str]:
    """The measured values by name, the headline first."""
    if quality is None:
        return []
    found = dict.fromkeys(key for seen in quality.observations for key in seen.values)
    return sorted(found, key=lambda key: (key != quality.headline, list(found).index(key)))
