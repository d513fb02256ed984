"""Runs as a comparison sees them: settings, course of the distance, and what became of them."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from anime_dcgan.cli.overrides import own_overrides, read_yaml
from anime_dcgan.run.outcome import FINISHED, read_failure
from anime_dcgan.run.record import (
    Equilibrium,
    Observation,
    observation,
    read_equilibrium,
    read_quality,
)
from anime_dcgan.run.settings import distinguishing
from anime_dcgan.system.errors import first_line

NOT_THE_METHOD = ("faces", "headline", "training")
"""Settings of a measurement that may differ between values that are held against each other."""
NOT_THE_RECIPE = ("seed=", "sweep=")

Method = tuple[tuple[str, Any], ...]
"""How values were measured: those of one method are comparable."""


@dataclass(frozen=True)
class Entry:
    """A run among others."""

    path: Path
    settings: dict[str, Any]
    """Flat; those by which a person tells runs apart."""
    words: list[str]
    """The overrides that it was started with, without seed and names."""
    measured: dict[Method, list[Observation]]
    floors: dict[Method, dict[str, float]]
    headline: str | None
    equilibrium: Equilibrium | None
    state: Literal["finished", "failed", "unfinished"]
    failure: str | None = None

    @property
    def recipe(self) -> tuple[tuple[str, str], ...]:
        """Equal for runs that differ in seed and budget alone."""
        other = {key: str(value) for key, value in self.settings.items() if not _is_no_recipe(key)}
        return tuple(sorted(other.items()))

    def course(self, measure: "Measure") -> list[Observation]:
        """The observations of the averaged generator that have this distance, by images."""
        found = self.measured.get(measure.method, [])
        return [seen for seen in found if measure.distance in seen.values]


@dataclass(frozen=True)
class Measure:
    """The distance that runs are ranked by, and how it was measured."""

    distance: str
    method: Method = field(repr=False)


def _is_no_recipe(key: str) -> bool:
    return key in ("seed", "max_kimg", "trainer.max_epochs", "schedule.total_kimg")


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """The run folders at and below these paths, each once, by name."""
    found: dict[Path, Path] = {}
    for path in paths:
        candidates = [path] if _is_run(path) else sorted(map(_parent, path.rglob("config.yaml")))
        for run in filter(_is_run, candidates):
            found.setdefault(run.resolve(), run)
    return list(found.values())


def _parent(path: Path) -> Path:
    return path.parent


def _is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file() and path.name != ".hydra"


def read_entry(run: Path, notes: list[str]) -> Entry | None:
    """A run by its files; None, with a note, if its settings cannot be read."""
    own: list[str] = []
    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        settings = distinguishing(config)
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        notes.append(f"{run} is left out: config.yaml cannot be read ({first_line(error)})")
        return None
    quality = read_quality(run, own)
    measured: dict[Method, list[Observation]] = {}
    floors: dict[Method, dict[str, float]] = {}
    if quality is not None:
        method = method_of(quality.settings)
        measured[method] = [seen for seen in quality.observations if seen.weights == "ema"]
        floors[method] = quality.floor
    _add_evaluations(run, measured, own)
    failure = read_failure(run)
    finished = "finished" if (run / FINISHED).exists() else "unfinished"
    entry = Entry(
        path=run,
        settings=settings,
        words=_words(run),
        measured=measured,
        floors=floors,
        headline=quality.headline if quality else None,
        equilibrium=read_equilibrium(run, own),
        state=finished if failure is None else "failed",
        failure=failure,
    )
    notes += [f"{run.name}: {note}" for note in own]
    return entry


def method_of(settings: dict[str, Any]) -> Method:
    """Of the settings of a measurement, those that make values comparable."""
    kept = {key: value for key, value in settings.items() if key not in NOT_THE_METHOD}
    return tuple(sorted((key, json.dumps(value)) for key, value in kept.items()))


def _add_evaluations(
    run: Path, measured: dict[Method, list[Observation]], notes: list[str]
) -> None:
    """What `evaluate` measured, where the training did not."""
    path = run / "evaluations.json"
    if not path.exists():
        return
    try:
        rows = json.loads(path.read_text(encoding="utf-8"), parse_int=float)["rows"]
        for row in rows:
            seen, method = observation(row), method_of(row["metric"])
            known = measured.setdefault(method, [])
            if seen.weights == "ema" and seen.images not in {other.images for other in known}:
                known.append(seen)
                known.sort(key=lambda other: other.images)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        notes.append(f"evaluations.json is damaged and left out: {first_line(error)}")


def _words(run: Path) -> list[str]:
    said = read_yaml(run / ".hydra" / "overrides.yaml")
    words = own_overrides(list(map(str, said)) if isinstance(said, list) else [])
    return [word for word in words if not word.startswith(NOT_THE_RECIPE)]


def choose_measure(entries: list[Entry], distance: str | None = None) -> Measure | None:
    """The measure that most runs have; of the headlines, unless a distance is named."""
    counts: Counter[Measure] = Counter()
    for entry in entries:
        for method, seen in entry.measured.items():
            names = {distance} if distance else {entry.headline}
            known = {name for one in seen for name in one.values}
            counts.update(Measure(name, method) for name in names & known if name is not None)
    return max(counts, key=lambda one: (counts[one], one.distance), default=None)
