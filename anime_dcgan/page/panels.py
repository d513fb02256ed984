"""Which curve belongs on which panel. A panel without a point is left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from anime_dcgan.run.record import Quality, Record
from anime_dcgan.run.scalars import Points, thin

FARTHEST_SCALES = 20  # between the distances of one panel
FLOOR = "Dashed: the floor, real faces held against real faces."


@dataclass(frozen=True)
class Curve:
    """A line of a panel, and the floor that it is held against."""

    name: str
    points: Points
    floor: float | None = None
    quiet: bool = False
    """Drawn behind the others, in grey."""


@dataclass(frozen=True)
class Axis:
    """What curves are drawn over: values of the points are divided by `unit`."""

    label: str
    unit: float


IMAGES = Axis("thousand images", 1000.0)
HOURS = Axis("hours of training", 1.0)


@dataclass(frozen=True)
class Panel:
    """One picture of curves; `level` is a value that every curve is compared with.

    `scale` is that of the values: a distance may take a logarithmic axis, a ratio is shown from
    0 on, a percentage (of a share in [0, 1]) from 0 to 100.
    """

    title: str
    note: str
    curves: list[Curve]
    scale: Literal["plain", "distance", "ratio", "percentage"] = "plain"
    level: float | None = None
    axis: Axis = IMAGES

    @property
    def description(self) -> str:
        """The panel in words, for those who do not see it."""
        said = [
            f"{curve.name} from {curve.points[0][1]:.3g} to {curve.points[-1][1]:.3g}"
            for curve in self.curves
            if not curve.quiet
        ]
        span = [place / self.axis.unit for curve in self.curves for place, _ in curve.points]
        extent = f"{min(span):,.3g} to {max(span):,.3g} {self.axis.label}"
        return f"{self.title}, {extent}: {'; '.join(said)}"


@dataclass(frozen=True)
class Mark:
    """A place on the axis of images that all panels show."""

    name: str
    images: float


def marks_of(record: Record) -> list[Mark]:
    """Where the verdict says equilibrium, and where the distance is lowest."""
    marks = []
    if record.equilibrium and record.equilibrium.images is not None:
        marks.append(Mark("verdict", record.equilibrium.images))
    if record.quality and record.quality.best:
        marks.append(Mark("best", record.quality.best.images))
    return marks


def panels_of(record: Record) -> list[Panel]:
    """The panels of a run that have something to show, in the order of the page."""
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
        "What either player would gain by answering best; none at an equilibrium.",
        _named(history, {"gap": "both", **players}),
        level=0.0,
    )


def _losses(scalars: Mapping[str, Points]) -> Panel:
    return Panel(
        "Losses",
        "They say little about the faces: each is measured against the other player.",
        _named(scalars, {f"loss/{player}": player for player in ("discriminator", "generator")}),
    )


def _accuracy(scalars: Mapping[str, Points], history: Mapping[str, Points]) -> Panel:
    return Panel(
        "Accuracy of the discriminator",
        "At 50 % (dashed) it can only guess.",
        _named(scalars, {"accuracy/real": "on real", "accuracy/fake": "on fake"})
        or _named(history, {"accuracy_real": "on real", "accuracy_fake": "on fake"}),
        scale="percentage",
        level=0.5,
    )


def _distances(quality: Quality | None, history: Mapping[str, Points]) -> list[Panel]:
    """A panel for the distances of one prefix, and further ones where their scales differ much."""
    curves = [
        curve
        for curve in _measured(quality)
        if "/" in curve.name and not curve.name.endswith("_error")
    ]
    if not curves:
        known = _named(history, {"distance": "distance"})
        return [Panel("Distance", "Lower is better.", known, scale="distance")]
    note = "Lower is better." + (f" {FLOOR}" if _has_floor(curves) else "")
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(curve.name.split("/")[0], []).append(curve)
    return [
        Panel(f"Distance: {_common(together, prefix)}", note, together, scale="distance")
        for prefix, members in groups.items()
        for together in _of_one_scale(members)
    ]


def _common(curves: list[Curve], prefix: str) -> str:
    return prefix if len(curves) > 1 else curves[0].name


def _of_one_scale(curves: list[Curve]) -> list[list[Curve]]:
    groups: list[list[Curve]] = []
    for curve in sorted(curves, key=_scale):
        if groups and _scale(curve) <= FARTHEST_SCALES * _scale(groups[-1][0]):
            groups[-1].append(curve)
        else:
            groups.append([curve])
    return [sorted(group, key=curves.index) for group in groups]


def _scale(curve: Curve) -> float:
    return abs(median(value for _, value in curve.points))


def _ratios(quality: Quality | None, history: Mapping[str, Points]) -> list[Panel]:
    """Pairs that belong together share a panel; ratios we have no word for get one each."""
    ratios = {curve.name: curve for curve in _measured(quality) if "/" not in curve.name}
    if not any(name.startswith("diversity") for name in ratios):
        ratios |= {curve.name: curve for curve in _named(history, {"diversity": "diversity"})}
    known = {
        ("precision", "recall"): (
            "Precision and recall",
            "How many generated faces look real, and how many real ones could be generated.",
        ),
        ("density", "coverage"): (
            "Density and coverage",
            "How deep among the real faces the generated ones lie, and how many they surround.",
        ),
        ("diversity",): ("Diversity", "Near 0 all faces are alike."),
        ("memorised",): (
            "Memorised",
            "Generated faces closer to a training face than any other training face is to that.",
        ),
    }
    for name in ratios:
        bare = name.removesuffix(" (raw)")
        if not any(bare in names for names in known):
            known[(bare,)] = (bare.replace("_", " ").capitalize(), "")
    return [
        Panel(title, f"{note} {FLOOR if _has_floor(curves) else ''}".strip(), curves, "ratio")
        for names, (title, note) in known.items()
        if (curves := [ratios[key] for key in ratios if key.removesuffix(" (raw)") in names])
    ]


def _has_floor(curves: list[Curve]) -> bool:
    return any(curve.floor is not None for curve in curves)


def _measured(quality: Quality | None) -> list[Curve]:
    """Every measured value as a curve; those of the raw generator are called so."""
    points: dict[str, Points] = {}
    for seen in quality.observations if quality else []:
        for key, value in seen.values.items():
            name = key if seen.weights == "ema" else f"{key} ({seen.weights})"
            points.setdefault(name, []).append((seen.images, value))
    floor = quality.floor if quality else {}
    return [Curve(name, found, floor.get(name)) for name, found in points.items()]


def _named(curves: Mapping[str, Points], names: Mapping[str, str]) -> list[Curve]:
    return [Curve(name, thin(curves[key])) for key, name in names.items() if curves.get(key)]
