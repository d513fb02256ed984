"""What the files of a run folder say. It may be young, old or damaged: what is there counts."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from anime_dcgan.run.scalars import Points, finite_number, read_scalars

VERDICTS = ("learning", "equilibrium", "cycling", "diverging", "collapsed")
LONGEST_TEXT = 200_000  # characters of the configuration that the page takes in

T = TypeVar("T")


@dataclass(frozen=True)
class Observation:
    """What was measured of one generator, after so many images."""

    images: float
    epoch: float | None
    weights: str
    values: dict[str, float]
    hours: float | None = None
    """Of training, from the start of the run; older runs do not say it."""


@dataclass(frozen=True)
class Quality:
    """`quality.json`. A key with a "/" is a distance (lower is better), any other a ratio."""

    headline: str
    floor: dict[str, float]
    observations: list[Observation]
    settings: dict[str, Any] = field(default_factory=dict)
    """What the values depend on."""

    @property
    def best(self) -> Observation | None:
        """The observation with the lowest headline distance."""
        measured = [seen for seen in self.observations if self.headline in seen.values]
        return min(measured, key=lambda seen: seen.values[self.headline], default=None)


@dataclass(frozen=True)
class Equilibrium:
    """`equilibrium.json`: the verdict, the place that it names, and what led to it."""

    verdict: str
    reasons: list[str]
    epoch: float | None
    images: float | None
    history: dict[str, Points]


@dataclass(frozen=True)
class Record:
    """All that the page shows of a run, but for its pictures."""

    name: str
    quality: Quality | None
    equilibrium: Equilibrium | None
    scalars: dict[str, Points]
    commands: str
    config: str
    notes: list[str]
    """What could not be read, a line each."""

    @property
    def images(self) -> float | None:
        """How many images the run is known to have seen."""
        seen = [points[-1][0] for points in self.scalars.values()]
        if self.quality:
            seen += [observation.images for observation in self.quality.observations]
        if self.equilibrium:
            seen += [points[-1][0] for points in self.equilibrium.history.values()]
            seen += [self.equilibrium.images or 0.0]
        return max(seen, default=None)


def read_record(run: Path) -> Record:
    """The record of a run folder; whatever is damaged is left out and named in the notes."""
    notes: list[str] = []
    return Record(
        name=run.resolve().name,
        quality=read_quality(run, notes),
        equilibrium=read_equilibrium(run, notes),
        scalars=read_scalars(run, notes),
        commands=_read_text(run / "command.txt", notes),
        config=_read_text(run / "config.yaml", notes),
        notes=notes,
    )


def read_quality(run: Path, notes: list[str]) -> Quality | None:
    """What was measured as the run went on; None if nothing was, or if the file is damaged."""
    return _read_json(run / "quality.json", _quality, notes)


def read_equilibrium(run: Path, notes: list[str]) -> Equilibrium | None:
    """The verdict; None if there is none, or if the file is damaged."""
    return _read_json(run / "equilibrium.json", _equilibrium, notes)


def _read_json(path: Path, parse: Callable[[Any], T], notes: list[str]) -> T | None:
    try:
        return parse(json.loads(path.read_text(encoding="utf-8"), parse_int=float))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        notes.append(f"{path.name} is damaged and left out: {error}")
        return None


def _read_text(path: Path, notes: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:LONGEST_TEXT].strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        notes.append(f"{path.name} cannot be read: {error.strerror}")
        return ""


def _quality(raw: Any) -> Quality:
    return Quality(
        headline=_member(_member(raw, "metric", dict), "headline", str),
        floor=_numbers(raw.get("floor") or {}),
        observations=sorted(map(observation, _member(raw, "rows", list)), key=_images),
        settings=raw["metric"],
    )


def _images(seen: Observation) -> float:
    return seen.images


def observation(raw: Any) -> Observation:
    """A row of a file of measurements, its numbers read as floats; ValueError if it is none."""
    return Observation(
        images=_member(raw, "images", float),
        epoch=finite_number(raw.get("epoch")),
        weights=str(raw.get("weights", "ema")),
        values=_numbers(_member(raw, "values", dict)),
        hours=finite_number(raw.get("hours")),
    )


def _equilibrium(raw: Any) -> Equilibrium:
    verdict = _member(raw, "verdict", str)
    if verdict not in VERDICTS:
        raise ValueError(f"the verdict {verdict!r} is none of {', '.join(VERDICTS)}")
    history: dict[str, Points] = {}
    for row in _member(raw, "history", list):
        images = _member(row, "images", float)
        for name, value in _numbers(row | {"images": None}).items():
            history.setdefault(name, []).append((images, value))
    return Equilibrium(
        verdict=verdict,
        reasons=[str(reason) for reason in _member(raw, "reasons", list)],
        epoch=finite_number(raw.get("epoch")),
        images=finite_number(raw.get("images")),
        history={name: sorted(points) for name, points in history.items()},
    )


def _member(raw: Any, name: str, kind: type[T]) -> T:
    """A member of a JSON object; ValueError if it is missing, of another kind or not finite."""
    value = raw.get(name) if isinstance(raw, dict) else None
    if not isinstance(value, kind) or (kind is float and finite_number(value) is None):
        raise ValueError(f"`{name}` is missing or no {kind.__name__}")
    return value


def _numbers(raw: Any) -> dict[str, float]:
    if not isinstance(raw, dict):
        raise ValueError(f"{raw!r:.40} is no object of numbers")
    return {name: value for name, value in raw.items() if finite_number(value) is not None}
