"""The page that compares runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from anime_dcgan.page import formatting
from anime_dcgan.page.labels import LabelRows, read_label_rows
from anime_dcgan.page.panels import HOURS, IMAGES, Axis, Curve, Panel
from anime_dcgan.page.plot import CURVES, draw
from anime_dcgan.page.render import render, write_page
from anime_dcgan.page.sheets import Picture, mosaic, read_faces, side_within
from anime_dcgan.run.entries import Entry
from anime_dcgan.run.ranking import Ranking, Recipe, differing_settings
from anime_dcgan.run.record import Measurement
from anime_dcgan.run.runs import by_epoch, epoch_of
from anime_dcgan.run.scalars import Points

MAX_GRIDS = 12  # recipes whose faces are shown side by side
MAX_PICTURE_BYTES = 4_000_000  # PNG on the page
MAX_LABELS_BYTES = 1_500_000  # PNG of the faces of each class
NEAR_FLOOR = 4.0  # multiple of the floor; beyond it the floor would flatten the curves
SHORT_TABLE = 12  # up to this many recipes, the settings are unfolded


@dataclass(frozen=True)
class TableRow:
    """The formatted cells of one recipe in the table."""

    rank: str
    label: str
    distance: str
    above_floor: str
    error: str
    seeds: str
    kimg: str
    hours: str
    verdict: str
    precision: str
    recall: str
    is_as_good: bool


@dataclass(frozen=True)
class RecipeGrid:
    """The faces of a recipe's best run."""

    title: str
    caption: str
    picture: Picture


@dataclass(frozen=True)
class RecipeLabels:
    """The faces of each class, of a recipe's best run."""

    title: str
    caption: str
    labels: LabelRows


def write_comparison(ranking: Ranking, out: Path, notes: list[str], missing: list[Entry]) -> None:
    """Write the page to `out`. Raises `UserError` if it cannot be written.

    Parameters:
        notes: files that could not be read, one line each; more are appended.
        missing: runs that failed or were not measured.
    """
    from markupsafe import Markup

    grids = _grids(ranking, notes)
    labels = _labels(ranking, notes)
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
        budget=describe_budget(ranking),
        rows=table_rows(ranking),
        floor=mean_floor(ranking),
        notes=notes,
        panels=panels,
        grids=grids,
        labels=labels,
        differing=differing_settings(ranking.recipes),
        missing=[(entry.path.name, describe_state(entry, ranking)) for entry in missing],
        short_table=SHORT_TABLE,
    )
    write_page(out, page)


def describe_budget(ranking: Ranking) -> str:
    """Return the budget in words: `60,000 images`, or `0.50 hours of training`."""
    if ranking.by == "hours":
        return f"{ranking.budget:.2f} hours of training"
    return formatting.images(ranking.budget)


def table_rows(ranking: Ranking) -> list[TableRow]:
    """Return the ranking as formatted cells, the nearest recipe first."""
    floor = mean_floor(ranking)
    return [
        _table_row(ranking, rank, recipe, floor) for rank, recipe in enumerate(ranking.recipes, 1)
    ]


def _table_row(ranking: Ranking, rank: int, recipe: Recipe, floor: float | None) -> TableRow:
    error = ranking.error(recipe)
    hours = [each.hours for each in recipe.ranked_by if each.hours is not None]
    is_as_good = ranking.is_as_good(recipe)
    return TableRow(
        rank=f"{rank} (as good)" if is_as_good and rank > 1 else f"{rank}",
        label=recipe.label,
        distance=formatting.number(recipe.mean),
        above_floor=formatting.number(None if floor is None else recipe.mean - floor),
        error="-" if error is None else formatting.number(error),
        seeds=_seeds(ranking, recipe),
        kimg=_format_kimg(fmean([each.images for each in recipe.ranked_by])),
        hours=_format_hours(fmean(hours)) if hours else "-",
        verdict=", ".join(dict.fromkeys(map(_verdict, recipe.entries))),
        precision=_mean_value(recipe.ranked_by, "precision"),
        recall=_mean_value(recipe.ranked_by, "recall"),
        is_as_good=is_as_good,
    )


def _format_kimg(images: float) -> str:
    return f"{images / 1000:,.0f}" if images >= 10_000 else f"{images / 1000:.2g}"


def _format_hours(hours: float) -> str:
    return f"{hours:.2f}" if hours >= 0.01 else "< 0.01"


def _seeds(ranking: Ranking, recipe: Recipe) -> str:
    """Return `3`, or `1 of 3` if the others failed or lack a measurement at the budget."""
    ranked = len(recipe.distances)
    missing = sum(entry.recipe == recipe.entries[0].recipe for entry in ranking.unranked)
    return f"{ranked} of {ranked + missing}" if missing else f"{ranked}"


def _verdict(entry: Entry) -> str:
    return "-" if entry.equilibrium is None else entry.equilibrium.verdict


def _mean_value(measurements: Sequence[Measurement], name: str) -> str:
    values = [each.values[name] for each in measurements if name in each.values]
    return f"{fmean(values):.2f}" if values else "-"


def mean_floor(ranking: Ranking) -> float | None:
    """Return the distance of real faces to real faces, averaged over runs; None if unknown."""
    criterion = ranking.criterion
    floors = [
        entry.floors[criterion.method][criterion.distance]
        for recipe in ranking.recipes
        for entry in recipe.entries
        if criterion.distance in entry.floors.get(criterion.method, {})
    ]
    return fmean(floors) if floors else None


def describe_state(entry: Entry, ranking: Ranking) -> str:
    """Describe how a run ended, or why it is not in the ranking."""
    if entry.failure is not None:
        return f"failed: {entry.failure}"
    measurements = entry.measurements(ranking.criterion)
    if not measurements:
        return "measured in another way" if entry.measured else "not measured"
    last = measurements[-1]
    distance = formatting.number(last.values[ranking.criterion.distance])
    return f"{entry.state}; {distance} after {formatting.images(last.images)}"


def _panels(ranking: Ranking) -> list[Panel]:
    distance, floor = ranking.criterion.distance, mean_floor(ranking)
    note = "Lower is better; the mean over seeds."
    if floor is not None:
        is_near = _min_distance(ranking) <= NEAR_FLOOR * floor
        note += f" {'Dashed' if is_near else 'Far below'}: the floor, {formatting.number(floor)},"
        note += " real faces compared with real faces."
        floor = floor if is_near else None
    panels = []
    for title, axis in (("against images", IMAGES), ("against time", HOURS)):
        curves = [
            Curve(recipe.label, points, floor if not number else None, number >= len(CURVES))
            for number, recipe in enumerate(ranking.recipes)
            if (points := _mean_curve(recipe, ranking, axis))
        ]
        if curves:
            panels.append(Panel(f"{distance} {title}", note, curves, scale="distance", axis=axis))
    return panels


def _min_distance(ranking: Ranking) -> float:
    """Return the lowest distance of all ranked runs."""
    return min(distance for recipe in ranking.recipes for distance in recipe.distances)


def _mean_curve(recipe: Recipe, ranking: Ranking, axis: Axis) -> Points:
    """Return the mean over the seeds of each measurement that all of them have."""
    curves = [
        [
            (each.images if axis is IMAGES else each.hours, each.values[ranking.criterion.distance])
            for each in entry.measurements(ranking.criterion)
        ]
        for entry in recipe.entries
    ]
    return [
        (fmean([x for x, _ in points if x is not None]), fmean([y for _, y in points]))
        for points in zip(*curves, strict=False)
        if all(x is not None for x, _ in points)
    ]


def _best_run(recipe: Recipe) -> tuple[Entry, Measurement]:
    best = min(range(len(recipe.entries)), key=recipe.distances.__getitem__)
    return recipe.entries[best], recipe.ranked_by[best]


def _grids(ranking: Ranking, notes: list[str]) -> list[RecipeGrid]:
    best_faces = []
    for recipe in ranking.recipes[:MAX_GRIDS]:
        entry, measurement = _best_run(recipe)
        sheets = by_epoch(entry.path / "samples" / "ema", ".png")
        if not sheets:
            continue
        epoch = epoch_of(sheets[-1]) if measurement.epoch is None else measurement.epoch
        path = min(sheets, key=lambda sheet: abs(epoch_of(sheet) - epoch))
        try:
            faces = read_faces(path)
        except ValueError as error:
            notes.append(f"{entry.path.name}: {error}")
            continue
        best_faces.append((recipe, entry, path, faces))
    max_bytes = MAX_PICTURE_BYTES / max(1, len(best_faces))
    grids = []
    for recipe, entry, path, faces in best_faces:
        side = side_within(faces, max_bytes)
        caption = f"epoch {epoch_of(path):g} of {entry.path.name}"
        grids.append(RecipeGrid(recipe.label, caption, mosaic(faces, side, side)))
    return grids


def _labels(ranking: Ranking, notes: list[str]) -> list[RecipeLabels]:
    """Return the latest faces of each class of the best runs that have labels."""
    found = []
    recipes = ranking.recipes[:MAX_GRIDS]
    for recipe in recipes:
        run = _best_run(recipe)[0].path
        own: list[str] = []
        labels = read_label_rows(run, own, MAX_LABELS_BYTES / len(recipes))
        notes += [f"{run.name}: {note}" for note in own]
        if labels is not None:
            caption = f"epoch {labels.epoch:g} of {run.name}"
            found.append(RecipeLabels(recipe.label, caption, labels))
    return found
