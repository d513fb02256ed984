"""Entries of a comparison: the settings, measurements and outcome of a run."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from anime_dcgan.cli.overrides import RECORD, read_overrides, training_overrides
from anime_dcgan.run.evaluations import LABEL, RESULTS
from anime_dcgan.run.origin import ORIGIN, parse_origin
from anime_dcgan.run.outcome import FINISHED, read_failure
from anime_dcgan.run.record import (
    EquilibriumRecord,
    Measurement,
    QualityRecord,
    parse_quality,
    read_equilibrium,
    read_json,
    read_quality,
    require,
)
from anime_dcgan.run.settings import CONFIG, distinguishing, read_settings
from anime_dcgan.system.errors import RefusedFileError, reason_of

IGNORED_METRIC_SETTINGS = ("faces", "headline", "training")
"""Metric settings that may differ between values that are compared."""
NOT_PART_OF_A_RECIPE = ("seed=", "sweep=")
"""Overrides that are left out of a recipe's label."""

Method = tuple[tuple[str, Any], ...]
"""The settings of a measurement; only values of the same method are comparable."""


@dataclass(frozen=True)
class Entry:
    """One run of a comparison."""

    path: Path
    settings: dict[str, Any]
    """Flattened settings that distinguish one run from another."""
    overrides: list[str]
    """Overrides that started the run, without its seed and names."""
    measured: dict[Method, list[Measurement]]
    """Measurements of the averaged generator, by images."""
    floors: dict[Method, dict[str, float]]
    """Values of real faces, measured in the same way."""
    headlines: dict[Method, str]
    """The distance by which each method ranks."""
    trained_with: Method | None
    """The method of the training's own measurements."""
    equilibrium: EquilibriumRecord | None
    state: Literal["finished", "failed", "unfinished"]
    failure: str | None = None

    @property
    def recipe(self) -> tuple[tuple[str, str], ...]:
        """A key that is equal for runs that differ only in seed and budget."""
        settings = {k: str(v) for k, v in self.settings.items() if not _is_seed_or_budget(k)}
        return tuple(sorted(settings.items()))

    def measurements(self, criterion: "Criterion") -> list[Measurement]:
        """Return the measurements that have the criterion's distance, by images."""
        measured = self.measured.get(criterion.method, [])
        return [each for each in measured if criterion.distance in each.values]


@dataclass(frozen=True)
class Criterion:
    """The distance that runs are ranked by, and how it was measured."""

    distance: str
    method: Method = field(repr=False)


def _is_seed_or_budget(key: str) -> bool:
    return key in (
        "seed",
        "max_kimg",
        "max_minutes",
        "trainer.max_epochs",
        "schedule.total_kimg",
        "ramps.total_kimg",
    )


def find_runs(paths: Iterable[Path], notes: list[str]) -> list[Path]:
    """Return the run folders at and below these paths, each once, sorted by name.

    Links are not followed; folders that cannot be listed are noted.
    """

    def note(error: OSError) -> None:
        notes.append(f"{error.filename} is left out: {reason_of(error)}")

    found: dict[Path, Path] = {}
    for path in paths:
        for run in sorted(_runs_below(path, note)):
            found.setdefault(run.resolve(), run)
    return list(found.values())


def _runs_below(path: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """Yield `path` if it is a run, else the runs below it."""
    for root, folders, files in os.walk(path, onerror=on_error):
        if CONFIG in files and Path(root).name != ".hydra":
            yield Path(root)
            if Path(root) == path:
                folders.clear()


def read_entry(run: Path, notes: list[str]) -> Entry | None:
    """Return a run read from its files; None, with a note, if its settings cannot be read."""
    try:
        settings = distinguishing(read_settings(run))
    except FileNotFoundError:  # deleted meanwhile
        return None
    except RefusedFileError as error:
        notes.append(f"{run} is left out: {CONFIG} cannot be read ({error.reason})")
        return None
    run_notes: list[str] = []
    origin = read_json(run / ORIGIN, parse_origin, run_notes)
    if origin is not None:
        settings |= {"init.images": origin.images, "init.sha256": origin.short_digest}
    quality = read_quality(run, run_notes)
    measured: dict[Method, list[Measurement]] = {}
    floors: dict[Method, dict[str, float]] = {}
    headlines: dict[Method, str] = {}
    method = None
    if quality is not None:
        method = measurement_method(quality.settings)
        measured[method] = [each for each in quality.measurements if each.weights == "ema"]
        floors[method] = quality.floor
        headlines[method] = quality.headline
    for evaluated in read_json(run / RESULTS, _parse_evaluations, run_notes) or ():
        _add_evaluation(evaluated, measured, floors, headlines)
    failure = read_failure(run)
    finished = "finished" if (run / FINISHED).exists() else "unfinished"
    entry = Entry(
        path=run,
        settings=settings,
        overrides=_recipe_overrides(run),
        measured=measured,
        floors=floors,
        headlines=headlines,
        trained_with=method,
        equilibrium=read_equilibrium(run, run_notes),
        state=finished if failure is None else "failed",
        failure=failure,
    )
    notes += [f"{run.name}: {note}" for note in run_notes]
    return entry


def measurement_method(settings: dict[str, Any]) -> Method:
    """Return the metric settings that must agree for values to be comparable."""
    kept = {key: value for key, value in settings.items() if key not in IGNORED_METRIC_SETTINGS}
    return tuple(sorted((key, json.dumps(value)) for key, value in kept.items()))


def _add_evaluation(
    evaluated: QualityRecord,
    measured: dict[Method, list[Measurement]],
    floors: dict[Method, dict[str, float]],
    headlines: dict[Method, str],
) -> None:
    """Add the measurement of an `evaluate` where the training has none."""
    (measurement,) = evaluated.measurements
    method = measurement_method(evaluated.settings)
    measurements = measured.setdefault(method, [])
    is_new = measurement.images not in {each.images for each in measurements}
    if measurement.weights == "ema" and is_new:
        measurements.append(measurement)
        measurements.sort(key=lambda each: each.images)
    floors.setdefault(method, evaluated.floor)
    headlines.setdefault(method, evaluated.headline)


def _parse_evaluations(raw: Any) -> list[QualityRecord]:
    """Return a record of a single measurement for each row of `evaluate` that is not of a class."""
    rows = require(raw, "rows", list)
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a row is not an object")
    return [parse_quality({**row, "rows": [row]}) for row in rows if LABEL not in row]


def _recipe_overrides(run: Path) -> list[str]:
    overrides = training_overrides(read_overrides(run / RECORD) or [])
    return [each for each in overrides if not each.startswith(NOT_PART_OF_A_RECIPE)]


def choose_criterion(entries: list[Entry], distance: str | None = None) -> Criterion | None:
    """Return the criterion shared by most runs: a headline distance, or `distance` if given.

    Of two that are shared by equally many, the one that more trainings measured is returned.
    """
    counts: Counter[Criterion] = Counter()
    trained: Counter[Criterion] = Counter()
    for entry in entries:
        for method, measurements in entry.measured.items():
            name = distance or entry.headlines.get(method)
            if name is not None and any(name in each.values for each in measurements):
                counts[Criterion(name, method)] += 1
                trained[Criterion(name, method)] += method == entry.trained_with
    return max(counts, key=lambda each: (counts[each], trained[each], each.distance), default=None)
