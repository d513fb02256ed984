"""Is the pair still learning, has it come to rest, or has it gone wrong?

Founded on the course of three figures over the training: the distance of the samples from real
images, the duality gap, and the diversity of the samples. They are noisy, so each is smoothed by
the median of the last few; none of the rules needs to know the scale of a distance or of a gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median, quantiles
from typing import Literal

from anime_dcgan.system.errors import UserError

VerdictName = Literal["learning", "equilibrium", "cycling", "diverging", "collapsed"]
SMALL_PART = 0.01  # of the whole way that the distance has come: less is rest, however near to 0


@dataclass(frozen=True)
class Observation:
    """The pair at one time."""

    images: int
    epoch: float
    distance: float
    """Of the samples from real images; lower is nearer."""
    gap: float
    """Duality gap; 0 in an equilibrium."""
    diversity: float = 1.0
    """Of the samples, over that of real images."""

    @classmethod
    def of_row(cls, row: Mapping[str, float]) -> "Observation":
        """What a row of the history in `equilibrium.json` says, which holds more besides."""
        return cls(**{part.name: row[part.name] for part in fields(cls)})  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class TrainingVerdict:
    """What is to be thought of the pair, why, and since when."""

    name: VerdictName
    reasons: list[str]
    since: Observation | None = None
    """Where an equilibrium was reached."""


@dataclass(frozen=True)
class Rules:
    """When a course is called what.

    Parameters:
        patience: observations that are smoothed over, and over which a rest must last.
        rest_share: share of the whole training, in [0, 1), over which it must last too.
        tolerance: falls of the distance by less than this share count as rest.
        swing: where the quartiles of the distances at rest lie further apart than this share of
            their median, it is none.
        gap_share: at rest the gap must be at most this share of the largest one seen.
        diverged: a distance above the best one by this factor, and not coming back.
        collapsed: a diversity below this share of what it had been.
        alike: a diversity at rest below this, where real images' is 1.
    """

    patience: int = 5
    rest_share: float = 0.35
    tolerance: float = 0.05
    swing: float = 0.35
    gap_share: float = 0.25
    diverged: float = 1.5
    collapsed: float = 0.5
    alike: float = 0.25

    def __post_init__(self) -> None:
        if self.patience < 2:
            raise UserError(
                f"equilibrium.rules.patience={self.patience} sees no course: use 2 or more"
            )
        if not 0 <= self.rest_share < 1:
            raise UserError(
                f"equilibrium.rules.rest_share={self.rest_share} is no share in [0, 1): use 0.35"
            )


def judge_training(history: Sequence[Observation], rules: Rules | None = None) -> TrainingVerdict:
    """The verdict on a course, earliest observation first; nothing is remembered between calls."""
    rules = rules or Rules()
    if len(history) < rules.patience:
        return TrainingVerdict(
            "learning", [f"{len(history)} of {rules.patience} observations were made"]
        )
    course = _Course(history, rules)
    return course.gone_wrong() or course.still_learning() or course.at_rest()


class _Course:
    """The smoothed figures, and the questions asked of them in turn."""

    def __init__(self, history: Sequence[Observation], rules: Rules) -> None:
        self.rules = rules
        self.history = history
        self.recent = history[-rules.patience :]
        self.distances = _smoothed([seen.distance for seen in history], rules.patience)
        self.gaps = _smoothed([seen.gap for seen in history], rules.patience)
        self.diversities = _smoothed([seen.diversity for seen in history], rules.patience)
        self.best = min(self.distances)

    def gone_wrong(self) -> TrainingVerdict | None:
        now, before = self.diversities[-1], min(1.0, max(self.diversities))
        if now < self.rules.collapsed * before:
            return TrainingVerdict(
                "collapsed",
                [f"the samples are {now:.0%} as varied as real images; they were {before:.0%}"],
            )
        nearest = min(seen.distance for seen in self.recent)
        if nearest > self.rules.diverged * self.best:
            return TrainingVerdict(
                "diverging",
                [
                    f"the distance is {nearest:.4g} or more since "
                    f"{len(self.recent)} observations; it was {self.best:.4g}"
                ],
            )
        return None

    def still_learning(self) -> TrainingVerdict | None:
        since = self._rest_begins()
        now = self.history[-1].images
        lasted = now - self.history[since].images
        needed = self.rules.rest_share * now
        if len(self.history) - 1 - since >= self.rules.patience and lasted >= needed:
            return None
        said = f"the distance, smoothed, is {self.best:.4g}"
        if lasted == 0:
            return TrainingVerdict("learning", [f"{said} and still falls"])
        ago = f"{lasted / 1000:,.0f} thousand images ago"
        return TrainingVerdict("learning", [f"{said} since {ago}, too short a rest to be sure"])

    def at_rest(self) -> TrainingVerdict:
        start = self._rest_begins()
        since = self.history[start]
        rest = f"the distance, smoothed, has been {self.best:.4g} since epoch {since.epoch:g}"
        diversity, gap = self.diversities[-1], self.gaps[-1]
        if diversity < self.rules.alike:
            varied = f"the samples are {diversity:.0%} as varied as real images"
            return TrainingVerdict("collapsed", [rest, varied])
        distances = [seen.distance for seen in self.history[start:]]
        lower, middle, upper = quantiles(distances, n=4, method="inclusive")
        swing = (upper - lower) / max(middle, 1e-12)
        if swing > self.rules.swing and upper > SMALL_PART * max(self.distances):
            swings = f"it swings by {swing:.0%} of itself"
            return TrainingVerdict("cycling", [rest, swings])
        peak = max(self.gaps)
        gaps = f"the duality gap is {gap:.3g}, {gap / max(peak, 1e-12):.0%} of its largest"
        if gap > self.rules.gap_share * peak:
            return TrainingVerdict(
                "cycling", [rest, f"{gaps}: each player still gains on the other"]
            )
        return TrainingVerdict("equilibrium", [rest, gaps], since)

    def _rest_begins(self) -> int:
        """The first observation from which on the distance fell by next to nothing."""
        whole_way = max(self.distances) - self.best
        enough = self.best + max(self.rules.tolerance * self.best, SMALL_PART * whole_way)
        return next(i for i, distance in enumerate(self.distances) if distance <= enough)


def _smoothed(values: Sequence[float], window: int) -> list[float]:
    """The median of the last `window` values, at each place."""
    return [median(values[max(0, end - window) : end]) for end in range(1, len(values) + 1)]
