"""Which recipe comes nearest to the real faces, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from anime_dcgan.run.entries import Entry, Measure
from anime_dcgan.run.record import Observation

SLACK = 0.01  # of the budget: a run ends with a whole batch, and measures there
QUANTILES = {
    **{1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262},
    **{10: 2.228, 12: 2.179, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.0, 120: 1.98},
}
"""Of Student's t at 97.5 %, by degrees of freedom; between two of them that of the lower holds."""

By = Literal["best", "last"]


@dataclass(frozen=True)
class Recipe:
    """Runs that differ in seed alone, with the distance that each came to within the budget."""

    label: str
    entries: list[Entry]
    places: list[Observation]
    """Of each run, where it stands."""
    distances: list[float]

    @property
    def mean(self) -> float:
        return fmean(self.distances)


@dataclass(frozen=True)
class Ranking:
    """Recipes with the nearest first."""

    measure: Measure
    images: float
    """The budget within which all are compared."""
    recipes: list[Recipe]
    behind: list[Entry]
    """Runs that were not measured up to there, or not in this way."""
    deviation: float | None
    """Standard deviation between seeds, as a share of the distance, over all recipes together."""
    freedom: int
    """Degrees of freedom of that."""

    def error(self, recipe: Recipe) -> float | None:
        """The standard error of a recipe's mean; None where no recipe has two seeds."""
        if self.deviation is None:
            return None
        return self.deviation * recipe.mean / math.sqrt(len(recipe.distances))

    def as_good(self, recipe: Recipe) -> bool:
        """Whether the difference to the first one is no more than seeds make, at 95 %.

        Few seeds tell little of how far seeds lie apart, which Student's t allows for.
        """
        first = self.recipes[0]
        errors = [error for one in (first, recipe) if (error := self.error(one)) is not None]
        if recipe is first or len(errors) < 2:
            return recipe is first
        return recipe.mean - first.mean <= quantile(self.freedom) * math.hypot(*errors)


def quantile(freedom: int) -> float:
    """How many standard errors of a difference mean nothing, at 95 %."""
    return QUANTILES[max(known for known in QUANTILES if known <= freedom)]


def rank(
    entries: Sequence[Entry], measure: Measure, images: float | None = None, by: By = "best"
) -> Ranking:
    """Rank recipes at equal numbers of images.

    Parameters:
        images: the budget; None is the most that at least half of the measured runs reached, so
            that neither a young run nor a very long one decides.
        by: the lowest distance within the budget, or the last.
    """
    courses = [(entry, entry.course(measure)) for entry in entries]
    budget = images if images is not None else _common_budget(courses)
    groups: dict[object, list[tuple[Entry, Observation]]] = {}
    behind: list[Entry] = []
    for entry, course in courses:
        within = [seen for seen in course if seen.images <= (1 + SLACK) * budget]
        if not within or within[-1].images < (1 - SLACK) * budget:
            behind.append(entry)
            continue
        place = within[-1]
        if by == "best":
            place = min(within, key=lambda seen: seen.values[measure.distance])
        groups.setdefault(entry.recipe, []).append((entry, place))
    labels = _labels([[entry for entry, _ in group] for group in groups.values()])
    recipes = [
        Recipe(
            label,
            [entry for entry, _ in group],
            [place for _, place in group],
            [place.values[measure.distance] for _, place in group],
        )
        for label, group in zip(labels, groups.values(), strict=True)
    ]
    recipes.sort(key=lambda recipe: recipe.mean)
    deviation, freedom = pooled_deviation([recipe.distances for recipe in recipes])
    return Ranking(measure, budget, recipes, behind, deviation, freedom)


def _common_budget(courses: Sequence[tuple[Entry, list[Observation]]]) -> float:
    ends = sorted((course[-1].images for _, course in courses if course), reverse=True)
    return ends[len(ends) // 2] if ends else 0.0


def pooled_deviation(groups: Sequence[Sequence[float]]) -> tuple[float | None, int]:
    """Relative standard deviation within groups, pooled by degrees of freedom, and their number.

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
    """Each recipe by the overrides that not all have, and by a folder where they do not tell."""
    words = [group[0].words for group in groups]
    common = set.intersection(*map(set, words)) if len(words) > 1 else set()
    labels = [" ".join(word for word in said if word not in common) for said in words]
    return [
        label if label and labels.count(label) == 1 else f"{label} {group[0].path.name}".strip()
        for label, group in zip(labels, groups, strict=True)
    ]


def differing(recipes: Sequence[Recipe]) -> dict[str, list[str]]:
    """Settings that are not the same in all recipes: the value of each, in their order.

    A setting that follows another, with the same last name and the same values, is left out.
    """
    settings = [recipe.entries[0].settings for recipe in recipes]
    keys = dict.fromkeys(key for one in settings for key in one)
    table: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: (key.count("."), list(keys).index(key))):
        values = [_said(one[key]) if key in one else "-" for one in settings]
        last = key.rpartition(".")[2]
        repeats = any(
            other.rpartition(".")[2] == last and known == values for other, known in table.items()
        )
        if len(set(values)) > 1 and key != "seed" and not repeats:
            table[key] = values
    return table


def _said(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.rpartition(".")[2] if text.startswith(("anime_dcgan.", "torch.optim.")) else text
