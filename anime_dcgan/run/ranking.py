"""Rank recipes by their distance to the real faces, with standard errors over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from anime_dcgan.run.entries import Criterion, Entry
from anime_dcgan.run.record import Measurement
from anime_dcgan.run.settings import format_setting

SLACK = 0.01  # fraction of the budget: a run is measured at the end of its last batch
QUANTILES = {
    **{1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262},
    **{10: 2.228, 12: 2.179, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.0, 120: 1.98},
}
"""97.5 % quantiles of Student's t by degrees of freedom; between two, the lower one applies."""

By = Literal["images", "hours"]
Choice = Literal["best", "last"]


@dataclass(frozen=True)
class Recipe:
    """Runs that differ only in seed, with the distance that each reached within the budget."""

    label: str
    entries: list[Entry]
    ranked_by: list[Measurement]
    """The measurement that each run is ranked by."""
    distances: list[float]

    @property
    def mean(self) -> float:
        return fmean(self.distances)


@dataclass(frozen=True)
class Ranking:
    """Recipes, in ascending order of their mean distance."""

    criterion: Criterion
    by: By
    """Unit of the budget: real images, or hours of training."""
    budget: float
    """The budget within which all recipes are compared."""
    recipes: list[Recipe]
    unranked: list[Entry]
    """Runs that did not reach the budget, or that were measured with another method."""
    deviation: float | None
    """Standard deviation between seeds relative to the distance, pooled over all recipes."""
    degrees_of_freedom: int
    """Degrees of freedom of `deviation`."""

    def error(self, recipe: Recipe) -> float | None:
        """Return the standard error of a recipe's mean; None if no recipe has two seeds."""
        if self.deviation is None:
            return None
        return self.deviation * recipe.mean / math.sqrt(len(recipe.distances))

    def is_as_good(self, recipe: Recipe) -> bool:
        """Return True if the recipe is the first, or cannot be distinguished from it at 95 %.

        Student's t accounts for a standard deviation that is estimated from few seeds.
        """
        first = self.recipes[0]
        errors = [error for each in (first, recipe) if (error := self.error(each)) is not None]
        if recipe is first or len(errors) < 2:
            return recipe is first
        return recipe.mean - first.mean <= t_quantile(self.degrees_of_freedom) * math.hypot(*errors)


def t_quantile(degrees_of_freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t; at least one degree of freedom."""
    return QUANTILES[max(each for each in QUANTILES if each <= degrees_of_freedom)]


def rank(
    entries: Sequence[Entry],
    criterion: Criterion,
    budget: float | None = None,
    choice: Choice = "best",
    by: By = "images",
) -> Ranking:
    """Rank recipes at equal numbers of images, or equal hours of training.

    Parameters:
        budget: images or hours. None: the largest budget that at least half of the measured runs
            reached, so that neither a run that just started nor a very long one determines it.
        choice: rank by the lowest distance within the budget, or by the last.
        by: unit of the budget. Runs that do not know their hours cannot be ranked by them.
    """
    curves = [
        (entry, [each for each in entry.measurements(criterion) if _spent(each, by) is not None])
        for entry in entries
    ]
    if budget is None:
        budget = _common_budget([curve for _, curve in curves], by)
    groups: dict[object, list[tuple[Entry, Measurement]]] = {}
    unranked: list[Entry] = []
    for entry, curve in curves:
        within = [each for each in curve if (_spent(each, by) or 0.0) <= (1 + SLACK) * budget]
        # a run that trained on is measured before and after a time, but at the same image counts
        reached = curve if by == "hours" else within
        if not within or (_spent(reached[-1], by) or 0.0) < (1 - SLACK) * budget:
            unranked.append(entry)
            continue
        chosen = within[-1]
        if choice == "best":
            chosen = min(within, key=lambda each: each.values[criterion.distance])
        groups.setdefault(entry.recipe, []).append((entry, chosen))
    labels = _labels([[entry for entry, _ in group] for group in groups.values()])
    recipes = [
        Recipe(
            label,
            [entry for entry, _ in group],
            [chosen for _, chosen in group],
            [chosen.values[criterion.distance] for _, chosen in group],
        )
        for label, group in zip(labels, groups.values(), strict=True)
    ]
    recipes.sort(key=lambda recipe: recipe.mean)
    deviation, freedom = pooled_deviation([recipe.distances for recipe in recipes])
    return Ranking(criterion, by, budget, recipes, unranked, deviation, freedom)


def _spent(measurement: Measurement, by: By) -> float | None:
    return measurement.images if by == "images" else measurement.hours


def _common_budget(curves: Sequence[list[Measurement]], by: By) -> float:
    """Return the images or hours that at least half of the measured runs reached."""
    ends = sorted((_spent(curve[-1], by) or 0.0 for curve in curves if curve), reverse=True)
    return ends[len(ends) // 2] if ends else 0.0


def pooled_deviation(groups: Sequence[Sequence[float]]) -> tuple[float | None, int]:
    """Return the relative standard deviation within groups, pooled, and its degrees of freedom.

    >>> deviation, freedom = pooled_deviation([[9.0, 10.0, 11.0], [20.0]])
    >>> round(deviation, 6), freedom
    (0.1, 2)
    """
    freedom = sum(len(group) - 1 for group in groups)
    if freedom == 0:
        return None, 0
    squares = 0.0
    for group in groups:
        mean = fmean(group)
        squares += sum((value / mean - 1) ** 2 for value in group)
    return math.sqrt(squares / freedom), freedom


def _labels(groups: Sequence[Sequence[Entry]]) -> list[str]:
    """Label recipes by the overrides that distinguish them; add a folder if that is ambiguous."""
    overrides = [group[0].overrides for group in groups]
    common = set.intersection(*map(set, overrides)) if len(overrides) > 1 else set()
    labels = [" ".join(each for each in own if each not in common) for own in overrides]
    return [
        label if label and labels.count(label) == 1 else f"{label} {group[0].path.name}".strip()
        for label, group in zip(labels, groups, strict=True)
    ]


def differing_settings(recipes: Sequence[Recipe]) -> dict[str, list[str]]:
    """Return the settings that differ between recipes, with one formatted value per recipe.

    A setting that follows another, with the same last name and the same values, is left out.
    """
    settings = [recipe.entries[0].settings for recipe in recipes]
    keys = dict.fromkeys(key for one in settings for key in one)
    table: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: (key.count("."), list(keys).index(key))):
        values = [format_setting(one[key]) if key in one else "-" for one in settings]
        last = key.rpartition(".")[2]
        repeats = any(
            other.rpartition(".")[2] == last and others == values for other, others in table.items()
        )
        if len(set(values)) > 1 and key != "seed" and not repeats:
            table[key] = values
    return table
