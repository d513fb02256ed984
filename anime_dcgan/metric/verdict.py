"""Decide whether a training is still learning, has reached an equilibrium, or has failed.

The verdict is based on three metrics over the training: the distance of the samples to real
images, the duality gap, and the diversity of the samples. They are noisy, so each is smoothed by
a running median; no rule depends on the scale of a distance or of a gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median, quantiles
from typing import Any

from anime_dcgan.run.record import VerdictName
from anime_dcgan.system.errors import UserError

NEGLIGIBLE = 0.01  # fraction of the total improvement in distance below which a change is noise


@dataclass(frozen=True)
class Observation:
    """The metrics of the two players at one point of the training."""

    images: int
    epoch: float
    distance: float
    """Distance of the samples to real images; lower is better."""
    gap: float
    """Approximate duality gap, always after the same number of steps; 0 at an equilibrium."""
    diversity: float = 1.0
    """Diversity of the samples relative to that of real images."""

    @classmethod
    def from_row(cls, row: Mapping[str, float]) -> "Observation":
        """Return the observation in a row of the history in `equilibrium.json`."""
        values: dict[str, Any] = {field.name: row[field.name] for field in fields(cls)}
        return cls(**values)


@dataclass(frozen=True)
class TrainingVerdict:
    """The verdict on a training, with its reasons."""

    name: VerdictName
    reasons: list[str]
    since: Observation | None = None
    """The first observation of the plateau, if the verdict is "equilibrium"."""


@dataclass(frozen=True)
class Rules:
    """Thresholds of the verdicts.

    Parameters:
        patience: window of the running medians, and minimum length of a plateau, in observations.
        plateau_fraction: minimum length of a plateau as a fraction of the training, in [0, 1).
        tolerance: the distance is on a plateau while it falls by less than this fraction.
        max_swing: maximum interquartile range of the distances on a plateau, as a fraction of
            their median.
        max_gap_fraction: maximum duality gap on a plateau, as a fraction of the largest gap.
        diverged_factor: the training diverges if the distance stays above this factor times the
            best one.
        collapse_fraction: the samples collapsed if their diversity falls below this fraction of
            its maximum.
        min_diversity: minimum diversity on a plateau; that of real images is 1.
    """

    patience: int = 5
    plateau_fraction: float = 0.35
    tolerance: float = 0.05
    max_swing: float = 0.35
    max_gap_fraction: float = 0.25
    diverged_factor: float = 1.5
    collapse_fraction: float = 0.5
    min_diversity: float = 0.25

    def __post_init__(self) -> None:
        if self.patience < 2:
            raise UserError(
                f"equilibrium.rules.patience={self.patience} is too short to detect a trend: "
                "use 2 or more"
            )
        if not 0 <= self.plateau_fraction < 1:
            raise UserError(
                f"equilibrium.rules.plateau_fraction={self.plateau_fraction} is not in [0, 1): "
                "use 0.35"
            )


def judge_training(history: Sequence[Observation], rules: Rules | None = None) -> TrainingVerdict:
    """Return the verdict on a history of observations, earliest first."""
    rules = rules or Rules()
    if len(history) < rules.patience:
        return TrainingVerdict(
            "learning", [f"only {len(history)} of {rules.patience} observations were made so far"]
        )
    smoothed = _SmoothedHistory(history, rules)
    return smoothed.check_failure() or smoothed.check_learning() or smoothed.check_plateau()


class _SmoothedHistory:
    """The smoothed metrics, and the checks that are applied to them in turn."""

    def __init__(self, history: Sequence[Observation], rules: Rules) -> None:
        self.rules = rules
        self.history = history
        self.recent = history[-rules.patience :]
        self.distances = _running_median([each.distance for each in history], rules.patience)
        self.gaps = _running_median([each.gap for each in history], rules.patience)
        self.diversities = _running_median([each.diversity for each in history], rules.patience)
        self.best = min(self.distances)

    def check_failure(self) -> TrainingVerdict | None:
        """Return "collapsed" or "diverging" if either applies."""
        now, before = self.diversities[-1], min(1.0, max(self.diversities))
        if now < self.rules.collapse_fraction * before:
            return TrainingVerdict(
                "collapsed",
                [
                    f"the diversity of the samples fell from {before:.0%} to {now:.0%} of that of "
                    "real images"
                ],
            )
        nearest = min(each.distance for each in self.recent)
        if nearest > self.rules.diverged_factor * self.best:
            return TrainingVerdict(
                "diverging",
                [
                    f"the distance stayed at or above {nearest:.4g} for the last "
                    f"{len(self.recent)} observations, after a best of {self.best:.4g}"
                ],
            )
        return None

    def check_learning(self) -> TrainingVerdict | None:
        """Return "learning" unless the distance has been on a plateau for long enough."""
        start = self._plateau_start()
        now = self.history[-1].images
        length = now - self.history[start].images
        min_length = self.rules.plateau_fraction * now
        if len(self.history) - 1 - start >= self.rules.patience and length >= min_length:
            return None
        if length == 0:
            reason = f"the smoothed distance is {self.best:.4g} and still falling"
        else:
            reason = (
                f"the smoothed distance has been on a plateau of {self.best:.4g} for only "
                f"{length / 1000:,.0f} thousand images"
            )
        return TrainingVerdict("learning", [reason])

    def check_plateau(self) -> TrainingVerdict:
        """Return the verdict on a plateau: "equilibrium", "cycling" or "collapsed"."""
        start = self._plateau_start()
        since = self.history[start]
        plateau = (
            f"the smoothed distance has been on a plateau of {self.best:.4g} since epoch "
            f"{since.epoch:g}"
        )
        diversity, gap = self.diversities[-1], self.gaps[-1]
        if diversity < self.rules.min_diversity:
            reason = f"the diversity of the samples is only {diversity:.0%} of that of real images"
            return TrainingVerdict("collapsed", [plateau, reason])
        distances = [each.distance for each in self.history[start:]]
        lower, middle, upper = quantiles(distances, n=4, method="inclusive")
        swing = (upper - lower) / max(middle, 1e-12)
        if swing > self.rules.max_swing and upper > NEGLIGIBLE * max(self.distances):
            reason = f"the distance swings by {swing:.0%} (interquartile range over median)"
            return TrainingVerdict("cycling", [plateau, reason])
        peak = max(self.gaps)
        gaps = f"the duality gap is {gap:.3g}, {gap / max(peak, 1e-12):.0%} of its maximum"
        if gap > self.rules.max_gap_fraction * peak:
            return TrainingVerdict(
                "cycling", [plateau, f"{gaps}: each player can still gain on the other"]
            )
        return TrainingVerdict("equilibrium", [plateau, gaps], since)

    def _plateau_start(self) -> int:
        """Return the index of the first observation after which the distance hardly falls."""
        improvement = max(self.distances) - self.best
        threshold = self.best + max(self.rules.tolerance * self.best, NEGLIGIBLE * improvement)
        return next(i for i, distance in enumerate(self.distances) if distance <= threshold)


def _running_median(values: Sequence[float], window: int) -> list[float]:
    """Return the median of the last `window` values at each position."""
    return [median(values[max(0, end - window) : end]) for end in range(1, len(values) + 1)]
