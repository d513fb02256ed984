"""Group curves into panels. Panels without points are left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from anime_dcgan.run.record import QualityRecord, RunRecord
from anime_dcgan.run.scalars import Points, thin

MAX_SCALE_RATIO = 20  # between the distances of one panel
FLOOR = "Dashed: the floor, real faces compared with real faces."


@dataclass(frozen=True)
class Curve:
    """A line of a panel, and the floor that it is compared with."""

    name: str
    points: Points
    floor: float | None = None
    quiet: bool = False
    """Drawn behind the others, in grey."""


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of a panel; the points' positions are divided by `unit`."""

    label: str
    unit: float


IMAGES = Axis("thousand images", 1000.0)
HOURS = Axis("hours of training", 1.0)


@dataclass(frozen=True)
class Panel:
    """One picture of curves; `level` is a reference value for all of them.

    `scale` is the vertical axis: a distance may become logarithmic, a ratio starts at 0, and a
    percentage (of a fraction in [0, 1]) goes from 0 to 100.
    """

    title: str
    note: str
    curves: list[Curve]
    scale: Literal["plain", "distance", "ratio", "percentage"] = "plain"
    level: float | None = None
    axis: Axis = IMAGES

    @property
    def description(self) -> str:
        """The panel as text, for screen readers."""
        changes = [
            f"{curve.name} from {curve.points[0][1]:.3g} to {curve.points[-1][1]:.3g}"
            for curve in self.curves
            if not curve.quiet
        ]
        span = [x / self.axis.unit for curve in self.curves for x, _ in curve.points]
        extent = f"{min(span):,.3g} to {max(span):,.3g} {self.axis.label}"
        return f"{self.title}, {extent}: {'; '.join(changes)}"


@dataclass(frozen=True)
class Mark:
    """A vertical line that all panels show at `images`."""

    name: str
    images: float


def make_marks(record: RunRecord) -> list[Mark]:
    """Return the marks where equilibrium was reached and where the distance is lowest."""
    marks = []
    if record.equilibrium and record.equilibrium.images is not None:
        marks.append(Mark("verdict", record.equilibrium.images))
    if record.quality and record.quality.best:
        marks.append(Mark("best", record.quality.best.images))
    return marks


def make_panels(record: RunRecord) -> list[Panel]:
    """Return the panels of a run that have points, in the order of the page."""
    history = record.equilibrium.history if record.equilibrium else {}
    ratios = _ratios(record.quality, history)
    panels = [
        *_distances(record.quality, history),
        *(panel for panel in ratios if len(panel.curves) > 1),
        _gap(history),
        _losses(record.scalars),
        _accuracy(record.scalars, history),
        *(panel for panel in ratios if len(panel.curves) == 1),
    ]
    return [panel for panel in panels if panel.curves]


def _gap(history: Mapping[str, Points]) -> Panel:
    players = {"gap_discriminator": "discriminator", "gap_generator": "generator"}
    return Panel(
        "Duality gap",
        "What either player gains within a few steps against the other; zero at an equilibrium.",
        _named(history, {"gap": "both", **players}),
        level=0.0,
    )


def _losses(scalars: Mapping[str, Points]) -> Panel:
    return Panel(
        "Losses",
        "Little can be inferred about the faces: each loss is relative to the other player.",
        _named(scalars, {f"loss/{player}": player for player in ("discriminator", "generator")}),
    )


def _accuracy(scalars: Mapping[str, Points], history: Mapping[str, Points]) -> Panel:
    return Panel(
        "Accuracy of the discriminator",
        "At 50 % (dashed) it is guessing.",
        _named(scalars, {"accuracy/real": "on real", "accuracy/fake": "on fake"})
        or _named(history, {"accuracy_real": "on real", "accuracy_fake": "on fake"}),
        scale="percentage",
        level=0.5,
    )


def _distances(quality: QualityRecord | None, history: Mapping[str, Points]) -> list[Panel]:
    """Return a panel per prefix of distances, or several if their scales differ too much."""
    curves = [
        curve
        for curve in _measured(quality)
        if "/" in curve.name and not curve.name.endswith("_error")
    ]
    if not curves:
        named = _named(history, {"distance": "distance"})
        return [Panel("Distance", "Lower is better.", named, scale="distance")]
    note = "Lower is better." + (f" {FLOOR}" if _has_floor(curves) else "")
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(curve.name.split("/")[0], []).append(curve)
    return [
        Panel(f"Distance: {_common_name(group, prefix)}", note, group, scale="distance")
        for prefix, members in groups.items()
        for group in _split_by_scale(members)
    ]


def _common_name(curves: list[Curve], prefix: str) -> str:
    return prefix if len(curves) > 1 else curves[0].name


def _split_by_scale(curves: list[Curve]) -> list[list[Curve]]:
    groups: list[list[Curve]] = []
    for curve in sorted(curves, key=_scale):
        if groups and _scale(curve) <= MAX_SCALE_RATIO * _scale(groups[-1][0]):
            groups[-1].append(curve)
        else:
            groups.append([curve])
    return [sorted(group, key=curves.index) for group in groups]


def _scale(curve: Curve) -> float:
    return abs(median(value for _, value in curve.points))


def _ratios(quality: QualityRecord | None, history: Mapping[str, Points]) -> list[Panel]:
    """Return panels of ratios: known pairs share one, and any other ratio has its own."""
    ratios = {curve.name: curve for curve in _measured(quality) if "/" not in curve.name}
    if not any(name.startswith("diversity") for name in ratios):
        ratios |= {curve.name: curve for curve in _named(history, {"diversity": "diversity"})}
    groups = {
        ("precision", "recall"): (
            "Precision and recall",
            "The fraction of generated faces that look real, and of real faces that are covered.",
        ),
        ("density", "coverage"): (
            "Density and coverage",
            "How densely real faces surround generated ones, and how many real faces are covered.",
        ),
        ("diversity",): ("Diversity", "Near 0 all faces look the same."),
        ("memorised",): (
            "Memorised",
            "Generated faces that are closer to a training face than any other training face is.",
        ),
    }
    for name in ratios:
        bare = name.removesuffix(" (raw)")
        if not any(bare in names for names in groups):
            groups[(bare,)] = (bare.replace("_", " ").capitalize(), "")
    return [
        Panel(title, f"{note} {FLOOR if _has_floor(curves) else ''}".strip(), curves, "ratio")
        for names, (title, note) in groups.items()
        if (curves := [ratios[key] for key in ratios if key.removesuffix(" (raw)") in names])
    ]


def _has_floor(curves: list[Curve]) -> bool:
    return any(curve.floor is not None for curve in curves)


def _measured(quality: QualityRecord | None) -> list[Curve]:
    """Return every measured value as a curve; the raw generator's names end in `(raw)`."""
    points: dict[str, Points] = {}
    for measurement in quality.measurements if quality else []:
        suffix = "" if measurement.weights == "ema" else f" ({measurement.weights})"
        for key, value in measurement.values.items():
            points.setdefault(key + suffix, []).append((measurement.images, value))
    floor = quality.floor if quality else {}
    return [Curve(name, values, floor.get(name)) for name, values in points.items()]


def _named(curves: Mapping[str, Points], names: Mapping[str, str]) -> list[Curve]:
    return [Curve(name, thin(curves[key])) for key, name in names.items() if curves.get(key)]
