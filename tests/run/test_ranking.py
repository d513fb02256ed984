"""The ranking, compared with values computed by hand."""

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from anime_dcgan.run.entries import Criterion, Entry, choose_criterion
from anime_dcgan.run.ranking import differing_settings, pooled_deviation, rank
from anime_dcgan.run.record import Measurement

METHOD = (("name", '"swd"'),)
SWD = Criterion("swd/all", METHOD)


def entry(
    recipe: str,
    seed: int,
    curve: dict[float, float],
    settings: dict[str, float] | None = None,
    state: Literal["finished", "unfinished"] = "finished",
    hours_per_image: float | None = None,
) -> Entry:
    measurements = [
        Measurement(
            images,
            images / 1000,
            "ema",
            {"swd/all": value},
            hours=None if hours_per_image is None else images * hours_per_image,
        )
        for images, value in curve.items()
    ]
    return Entry(
        path=Path(f"{recipe},seed={seed}"),
        settings={
            "loss._target_": f"anime_dcgan.game.loss.{recipe}",
            "seed": seed,
            **(settings or {}),
        },
        overrides=["max_kimg=60", f"loss={recipe}"],
        measured={METHOD: measurements},
        floors={METHOD: {"swd/all": 3.0}},
        headlines={METHOD: "swd/all"},
        trained_with=METHOD,
        equilibrium=None,
        state=state,
    )


def test_seeds_are_one_recipe_and_the_lowest_mean_is_first():
    ranking = rank(
        [
            entry("BCE", 0, {20e3: 30.0, 60e3: 20.0}),
            entry("BCE", 1, {20e3: 19.0, 60e3: 24.0}),
            entry("Hinge", 0, {20e3: 30.0, 60e3: 12.0}),
        ],
        SWD,
    )
    assert [recipe.label for recipe in ranking.recipes] == ["loss=Hinge", "loss=BCE"]
    assert ranking.recipes[1].distances == [20.0, 19.0]
    assert ranking.recipes[1].mean == 19.5


def test_choice_last_ranks_by_the_last_measurement():
    runs = [entry("BCE", 0, {20e3: 10.0, 60e3: 24.0}), entry("Hinge", 0, {60e3: 20.0})]
    assert [one.mean for one in rank(runs, SWD, choice="last").recipes] == [20.0, 24.0]
    assert [one.mean for one in rank(runs, SWD).recipes] == [10.0, 20.0]


def test_standard_errors_agree_with_the_textbook():
    pairs = [[19.0, 21.0], [38.0, 42.0], [10.0]]
    # Each pair deviates by 5 % of its mean: squares 2 * 0.05 ** 2 with one degree of freedom each.
    deviation, freedom = pooled_deviation(pairs)
    assert deviation == pytest.approx(0.05 * math.sqrt(2)) and freedom == 2
    ranking = rank(
        [
            *(entry("A", seed, {60e3: value}) for seed, value in enumerate(pairs[0])),
            *(entry("B", seed, {60e3: value}) for seed, value in enumerate(pairs[1])),
            entry("C", 0, {60e3: 22.0}),
        ],
        SWD,
    )
    first, third, second = (
        next(one for one in ranking.recipes if one.label == f"loss={name}") for name in "ABC"
    )
    assert ranking.error(first) == pytest.approx(20 * 0.05)  # sqrt(2) / sqrt(2 seeds)
    assert ranking.error(second) == pytest.approx(22 * 0.05 * math.sqrt(2))
    assert ranking.is_as_good(second)  # the means differ by 2, with a standard error of 1.85
    assert not ranking.is_as_good(third)


@pytest.mark.parametrize(("other", "as_good"), [(106.0, True), (107.0, False)])
def test_few_seeds_allow_large_differences(other: float, as_good: bool):
    """Two pairs of seeds, all 1 % from their means, have errors of 1 and of other / 100.

    Student's t for 2 degrees of freedom is 4.303: means of 100 and 106 may differ by 6.27, means of
    100 and 107 by 6.30.
    """
    ranking = rank(
        [
            *(entry("A", seed, {60e3: value}) for seed, value in enumerate((99.0, 101.0))),
            *(entry("B", n, {60e3: other * factor}) for n, factor in enumerate((0.99, 1.01))),
        ],
        SWD,
    )
    assert ranking.degrees_of_freedom == 2
    assert ranking.is_as_good(ranking.recipes[1]) is as_good


@pytest.mark.parametrize("seeds", [2, 3])
def test_equal_recipes_are_rarely_distinguished(seeds: int):
    """Equal recipes are distinguished in 5 % of comparisons, for any number of seeds."""
    random = np.random.default_rng(0)
    distinguished = 0
    for _ in range(1000):
        values = 100 + random.standard_normal((2, seeds))
        runs = [
            entry(name, seed, {60e3: float(value)})
            for name, row in zip("AB", values, strict=True)
            for seed, value in enumerate(row)
        ]
        distinguished += not (ranking := rank(runs, SWD)).is_as_good(ranking.recipes[1])
    assert 0.03 < distinguished / 1000 < 0.07


def test_without_a_second_seed_errors_are_unknown():
    ranking = rank([entry("A", 0, {60e3: 10.0}), entry("B", 0, {60e3: 10.1})], SWD)
    assert ranking.deviation is None and ranking.error(ranking.recipes[0]) is None
    assert [ranking.is_as_good(each) for each in ranking.recipes] == [True, False]


def test_all_are_compared_at_the_budget_that_half_of_the_runs_reached():
    long = entry("A", 0, {20e3: 30.0, 60e3: 20.0, 120e3: 5.0})
    short = entry("B", 0, {20e3: 25.0, 59.9e3: 19.0})
    unfinished = entry("C", 0, {20e3: 1.0}, state="unfinished")
    ranking = rank([long, short, unfinished], SWD)
    assert (ranking.by, ranking.budget) == ("images", 59.9e3)
    assert [one.mean for one in ranking.recipes] == [19.0, 20.0]
    assert ranking.unranked == [unfinished]
    assert [one.mean for one in rank([long, short, unfinished], SWD, budget=20e3).recipes] == [
        1,
        25,
        30,
    ]


def test_recipes_are_compared_at_equal_hours():
    """The slow recipe is nearer after equally many images, and farther after an equal time."""
    quick = entry("A", 0, {20e3: 30.0, 40e3: 20.0, 80e3: 10.0}, hours_per_image=1e-5)
    slow = entry("B", 0, {20e3: 20.0, 40e3: 15.0, 80e3: 9.0}, hours_per_image=2e-5)
    unknown = entry("C", 0, {80e3: 1.0})
    ranking = rank([quick, slow, unknown], SWD, budget=0.8, by="hours")
    assert [one.mean for one in ranking.recipes] == [10.0, 15.0]
    assert ranking.unranked == [unknown]
    assert rank([quick, slow, unknown], SWD, by="hours").budget == pytest.approx(0.8)
    assert rank([quick, slow], SWD).recipes[0].entries == [slow]
    assert rank([slow, quick], SWD, budget=1.7, by="hours").recipes == []


def test_values_of_different_methods_are_not_compared():
    ours = [entry("A", 0, {60e3: 10.0}), entry("B", 0, {60e3: 12.0})]
    other = entry("C", 0, {60e3: 1.0})
    other.measured[(("name", '"fd"'),)] = other.measured.pop(METHOD)
    criterion = choose_criterion([*ours, other])
    assert criterion is not None and criterion == SWD
    assert rank([*ours, other], criterion).unranked == [other]


def test_only_differing_settings_are_listed_and_only_once():
    ranking = rank(
        [
            entry("A", 0, {60e3: 1.0}, {"optimizer.lr": 1e-4, "optimizer.generator.lr": 1e-4}),
            entry("B", 1, {60e3: 2.0}, {"optimizer.lr": 2e-4, "optimizer.generator.lr": 2e-4}),
        ],
        SWD,
    )
    assert differing_settings(ranking.recipes) == {
        "loss._target_": ["A", "B"],
        "optimizer.lr": ["0.0001", "0.0002"],
    }
