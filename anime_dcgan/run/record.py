"""Parse the files of a run folder. Files that are missing or damaged are left out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from anime_dcgan.run.origin import ORIGIN, Origin, parse_origin
from anime_dcgan.run.scalars import Points, finite_number, read_scalars
from anime_dcgan.system import reader
from anime_dcgan.system.errors import RefusedFileError

VerdictName = Literal["learning", "equilibrium", "cycling", "diverging", "collapsed"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
MAX_TEXT = 200_000  # bytes of config.yaml and command.txt that a report includes

T = TypeVar("T")


@dataclass(frozen=True)
class Measurement:
    """The values measured on one generator after `images` images."""

    images: float
    epoch: float | None
    weights: str
    values: dict[str, float]
    hours: float | None = None
    """Hours of training since the start of the run; None if unknown."""


@dataclass(frozen=True)
class QualityRecord:
    """`quality.json`. A key with a "/" is a distance (lower is better), any other a ratio."""

    headline: str
    floor: dict[str, float]
    measurements: list[Measurement]
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings that the values depend on."""

    @property
    def best(self) -> Measurement | None:
        """The measurement with the lowest headline distance."""
        measured = [each for each in self.measurements if self.headline in each.values]
        return min(measured, key=lambda each: each.values[self.headline], default=None)


@dataclass(frozen=True)
class EquilibriumRecord:
    """`equilibrium.json`: the verdict, the epoch that it names, and the metrics behind it."""

    verdict: VerdictName
    reasons: list[str]
    epoch: float | None
    images: float | None
    history: dict[str, Points]


@dataclass(frozen=True)
class RunRecord:
    """Everything that the report shows of a run, except its pictures."""

    name: str
    quality: QualityRecord | None
    equilibrium: EquilibriumRecord | None
    origin: Origin | None
    scalars: dict[str, Points]
    commands: str
    config: str
    notes: list[str]
    """Files that could not be read, one line each."""

    @property
    def images(self) -> float | None:
        """The largest number of images in any of the files."""
        counts = [points[-1][0] for points in self.scalars.values()]
        if self.quality:
            counts += [measurement.images for measurement in self.quality.measurements]
        if self.equilibrium:
            counts += [points[-1][0] for points in self.equilibrium.history.values()]
            counts += [self.equilibrium.images or 0.0]
        return max(counts, default=None)


def read_record(run: Path) -> RunRecord:
    """Return the record of a run folder; damaged files are left out and named in the notes."""
    notes: list[str] = []
    return RunRecord(
        name=run.resolve().name,
        quality=read_quality(run, notes),
        equilibrium=read_equilibrium(run, notes),
        origin=read_json(run / ORIGIN, parse_origin, notes),
        scalars=read_scalars(run, notes),
        commands=_read_text(run / "command.txt", notes),
        config=_read_text(run / "config.yaml", notes),
        notes=notes,
    )


def read_quality(run: Path, notes: list[str]) -> QualityRecord | None:
    """Return the run's quality.json; None if it is missing, or damaged, which is noted."""
    return read_json(run / "quality.json", parse_quality, notes)


def read_equilibrium(run: Path, notes: list[str]) -> EquilibriumRecord | None:
    """Return the run's equilibrium.json; None if it is missing, or damaged, which is noted."""
    return read_json(run / "equilibrium.json", _parse_equilibrium, notes)


def read_json(path: Path, parse: Callable[[Any], T], notes: list[str]) -> T | None:
    """Return a JSON file as parsed by `parse`, which raises ValueError if it is damaged.

    None if it is missing, or damaged, which is noted. All numbers are floats.
    """
    try:
        with reader.refuse_damage(path):
            return parse(reader.read_json(path, parse_int=float))
    except FileNotFoundError:
        return None
    except RefusedFileError as error:
        notes.append(f"{path.name} is damaged and left out: {error.reason}")
        return None


def _read_text(path: Path, notes: list[str]) -> str:
    try:
        content = reader.read_bytes(path, MAX_TEXT, truncate=True)
    except FileNotFoundError:
        return ""
    except RefusedFileError as error:
        notes.append(f"{path.name} cannot be read: {error.reason}")
        return ""
    return content.decode("utf-8", errors="replace").strip()


def parse_quality(raw: Any) -> QualityRecord:
    """Return the content of a quality.json. Raises ValueError if it is damaged."""
    measurements = map(_parse_measurement, require(raw, "rows", list))
    return QualityRecord(
        headline=require(require(raw, "metric", dict), "headline", str),
        floor=_finite_numbers(raw.get("floor") or {}),
        measurements=sorted(measurements, key=lambda measurement: measurement.images),
        settings=raw["metric"],
    )


def _parse_measurement(raw: Any) -> Measurement:
    """Return one row of a file of measurements. Raises ValueError if it is damaged."""
    return Measurement(
        images=require(raw, "images", float),
        epoch=finite_number(raw.get("epoch")),
        weights=str(raw.get("weights", "ema")),
        values=_finite_numbers(require(raw, "values", dict)),
        hours=finite_number(raw.get("hours")),
    )


def _parse_equilibrium(raw: Any) -> EquilibriumRecord:
    verdict = require(raw, "verdict", str)
    if verdict not in VERDICTS:
        raise ValueError(f"the verdict {verdict!r} is unknown; it must be {', '.join(VERDICTS)}")
    history: dict[str, Points] = {}
    for row in require(raw, "history", list):
        images = require(row, "images", float)
        for name, value in _finite_numbers(row | {"images": None}).items():
            history.setdefault(name, []).append((images, value))
    return EquilibriumRecord(
        verdict=verdict,
        reasons=[str(reason) for reason in require(raw, "reasons", list)],
        epoch=finite_number(raw.get("epoch")),
        images=finite_number(raw.get("images")),
        history={name: sorted(points) for name, points in history.items()},
    )


def require(raw: Any, key: str, kind: type[T]) -> T:
    """Return `raw[key]`. Raises ValueError if it is missing, not a `kind`, or not finite."""
    value = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(value, kind) or (kind is float and finite_number(value) is None):
        raise ValueError(f"`{key}` is missing or not a {kind.__name__}")
    return value


def _finite_numbers(raw: Any) -> dict[str, float]:
    if not isinstance(raw, dict):
        raise ValueError(f"{raw!r:.40} is not an object of numbers")
    return {name: value for name, value in raw.items() if finite_number(value) is not None}
