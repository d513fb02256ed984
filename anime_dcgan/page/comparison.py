"""The page that holds runs against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from anime_dcgan.page import formatting
from anime_dcgan.page.panels import HOURS, IMAGES, Axis, Curve, Panel
from anime_dcgan.page.plot import CURVES, draw
from anime_dcgan.page.render import render, write_page
from anime_dcgan.page.sheets import Picture, faces_of, mosaic, read_sheet, side_within
from anime_dcgan.run.entries import Entry
from anime_dcgan.run.ranking import Ranking, Recipe, differing
from anime_dcgan.run.record import Observation
from anime_dcgan.run.runs import by_epoch, epoch_of
from anime_dcgan.run.scalars import Points

GRIDS = 12  # recipes whose faces stand side by side
PICTURES_LIMIT = 4_000_000  # bytes of PNG on the page
NEAR_FLOOR = 4.0  # times the floor; where all lie farther off, it would press the curves together
SHORT_TABLE = 12  # recipes whose settings are shown without being asked for


@dataclass(frozen=True)
class Line:
    """A recipe as the table has it."""

    place: str
    label: str
    distance: str
    error: str
    seeds: str
    kimg: str
    hours: str
    verdict: str
    precision: str
    recall: str
    first: bool


@dataclass(frozen=True)
class Grid:
    """The faces of a recipe's best run."""

    title: str
    caption: str
    picture: Picture


def write_comparison(ranking: Ranking, out: Path, notes: list[str], missing: list[Entry]) -> None:
    """Write the page to `out`; UserError if that cannot be.

    Parameters:
        notes: what could not be read, a line each.
        missing: runs that failed or were not measured.
    """
    from markupsafe import Markup

    grids = _grids(ranking, notes)
    panels = [
        (
            panel,
            Markup(draw(panel, [], max(x for curve in panel.curves for x, _ in curve.points), i)),
        )
        for i, panel in enumerate(_panels(ranking))
    ]
    page = render(
        "compare",
        ("enlarge",),
        ranking=ranking,
        lines=lines_of(ranking),
        floor=floor_of(ranking),
        notes=notes,
        panels=panels,
        grids=grids,
        differing=differing(ranking.recipes),
        missing=[(entry.path.name, words_of_state(entry, ranking)) for entry in missing],
        short_table=SHORT_TABLE,
    )
    write_page(out, page)


def lines_of(ranking: Ranking) -> list[Line]:
    """The ranking as a person reads it."""
    return [_line(ranking, place, recipe) for place, recipe in enumerate(ranking.recipes, start=1)]


def _line(ranking: Ranking, place: int, recipe: Recipe) -> Line:
    error = ranking.error(recipe)
    hours = [seen.hours for seen in recipe.places if seen.hours is not None]
    first = ranking.as_good(recipe)
    return Line(
        place=f"{place}" if not first or place == 1 else f"{place} (as good)",
        label=recipe.label,
        distance=formatting.number(recipe.mean),
        error="-" if error is None else formatting.number(error),
        seeds=_seeds(ranking, recipe),
        kimg=_kimg(fmean([seen.images for seen in recipe.places])),
        hours=_hours(fmean(hours)) if hours else "-",
        verdict=", ".join(dict.fromkeys(map(_verdict, recipe.entries))),
        precision=_value(recipe.places, "precision"),
        recall=_value(recipe.places, "recall"),
        first=first,
    )


def _kimg(images: float) -> str:
    return f"{images / 1000:,.0f}" if images >= 10_000 else f"{images / 1000:.2g}"


def _hours(hours: float) -> str:
    return f"{hours:.2f}" if hours >= 0.01 else "< 0.01"


def _seeds(ranking: Ranking, recipe: Recipe) -> str:
    """`3`, or `1 of 3` where the others failed or were not measured so far: chance chose there."""
    ranked = len(recipe.distances)
    missing = sum(entry.recipe == recipe.entries[0].recipe for entry in ranking.behind)
    return f"{ranked} of {ranked + missing}" if missing else f"{ranked}"


def _verdict(entry: Entry) -> str:
    return "-" if entry.equilibrium is None else entry.equilibrium.verdict


def _value(places: Sequence[Observation], name: str) -> str:
    found = [seen.values[name] for seen in places if name in seen.values]
    return f"{fmean(found):.2f}" if found else "-"


def floor_of(ranking: Ranking) -> float | None:
    """What real faces measure against real faces; the mean, where runs chose other ones."""
    measure = ranking.measure
    floors = [
        entry.floors[measure.method][measure.distance]
        for recipe in ranking.recipes
        for entry in recipe.entries
        if measure.distance in entry.floors.get(measure.method, {})
    ]
    return fmean(floors) if floors else None


def words_of_state(entry: Entry, ranking: Ranking) -> str:
    """Why a run is not in the ranking, or what became of it."""
    if entry.failure is not None:
        return f"failed: {entry.failure}"
    course = entry.course(ranking.measure)
    if not course:
        return "not measured so" if entry.measured else "not measured"
    distance = formatting.number(course[-1].values[ranking.measure.distance])
    return f"{entry.state}; {distance} after {formatting.images(course[-1].images)}"


def _panels(ranking: Ranking) -> list[Panel]:
    distance, floor = ranking.measure.distance, floor_of(ranking)
    note = "Lower is better; the mean over seeds."
    if floor is not None:
        where = "Dashed" if _nearest(ranking) <= NEAR_FLOOR * floor else "Far below"
        real = f"{formatting.number(floor)}, real faces held against real faces"
        note += f" {where}: the floor, {real}."
        floor = floor if where == "Dashed" else None
    panels = []
    for title, axis in (("against images", IMAGES), ("against time", HOURS)):
        curves = [
            Curve(recipe.label, points, floor if not number else None, number >= len(CURVES))
            for number, recipe in enumerate(ranking.recipes)
            if (points := _course(recipe, ranking, axis))
        ]
        if curves:
            panels.append(Panel(f"{distance} {title}", note, curves, scale="distance", axis=axis))
    return panels


def _nearest(ranking: Ranking) -> float:
    """The lowest distance of all ranked runs."""
    return min(distance for recipe in ranking.recipes for distance in recipe.distances)


def _course(recipe: Recipe, ranking: Ranking, axis: Axis) -> Points:
    """The means over the seeds, measurement by measurement."""
    courses = [
        [
            (seen.images if axis is IMAGES else seen.hours, seen.values[ranking.measure.distance])
            for seen in entry.course(ranking.measure)
        ]
        for entry in recipe.entries
    ]
    together = list(zip(*courses, strict=False))
    return [
        (fmean([x for x, _ in points if x is not None]), fmean([y for _, y in points]))
        for points in together
        if all(x is not None for x, _ in points)
    ]


def _grids(ranking: Ranking, notes: list[str]) -> list[Grid]:
    found = []
    for recipe in ranking.recipes[:GRIDS]:
        best = min(range(len(recipe.entries)), key=recipe.distances.__getitem__)
        entry, seen = recipe.entries[best], recipe.places[best]
        sheets = by_epoch(entry.path / "samples" / "ema", ".png")
        if not sheets:
            continue
        wanted = seen.epoch if seen.epoch is not None else epoch_of(sheets[-1])
        path = min(sheets, key=lambda one: abs(epoch_of(one) - wanted))
        try:
            faces = faces_of(read_sheet(path))
        except ValueError as error:
            notes.append(f"{entry.path.name}: {error}")
            continue
        found.append((recipe, entry, path, faces))
    room = PICTURES_LIMIT / max(1, len(found))
    grids = []
    for recipe, entry, path, faces in found:
        side = side_within(faces, room)
        caption = f"epoch {epoch_of(path):g} of {entry.path.name}"
        grids.append(Grid(recipe.label, caption, mosaic(faces, side, side)))
    return grids
