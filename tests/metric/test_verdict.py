"""Verdicts are correct for games from the literature, and for curves of known shape."""

import dataclasses
import random
from collections.abc import Sequence

import pytest
import torch

from anime_dcgan.game.loss import WGAN
from anime_dcgan.game.regularizer import R1, Regularizer
from anime_dcgan.metric.verdict import Observation, Rules, judge_training
from anime_dcgan.system.errors import UserError
from tests.games import Games, dirac, play, ring


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks are faster on one thread, and the same on every machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def with_linear_loss(games: Games) -> Games:
    game, truth = games
    return dataclasses.replace(game, loss=WGAN()), truth


@pytest.mark.parametrize(
    "games",
    [dirac(R1(1.0)), with_linear_loss(dirac(R1(1.0)))],
    ids=["cross-entropy", "linear"],
)
def test_the_dirac_gan_with_r1_reaches_an_equilibrium(games: Games):
    verdict = judge_training(list(play(*games, steps=1000, interval=50)))
    assert verdict.name == "equilibrium"
    assert verdict.since is not None
    assert verdict.since.distance < 0.02  # the initial distance is 1


@pytest.mark.parametrize(
    "games",
    [dirac(Regularizer()), with_linear_loss(dirac(Regularizer()))],
    ids=["cross-entropy", "linear"],
)
def test_the_dirac_gan_without_r1_never_reaches_an_equilibrium(games: Games):
    history = list(play(*games, steps=1500, interval=50))
    verdicts = [judge_training(history[:end]).name for end in range(1, len(history) + 1)]
    assert "cycling" in verdicts
    assert "equilibrium" not in verdicts


@pytest.mark.slow
def test_a_ring_of_gaussians_with_r1_reaches_an_equilibrium():
    history = list(play(*ring(R1(0.5)), steps=4800, interval=200, halflife=100))
    verdict = judge_training(history)
    assert verdict.name == "equilibrium"
    assert verdict.since is not None
    assert verdict.since.distance < 1.5 * min(each.distance for each in history)


def test_a_ring_of_gaussians_without_r1_collapses():
    history = list(play(*ring(Regularizer()), steps=2000, interval=200))
    verdicts = [judge_training(history[:end]).name for end in range(1, len(history) + 1)]
    assert verdicts[-1] == "collapsed"
    assert "equilibrium" not in verdicts


def observations(
    *distances: float, gaps: Sequence[float] = (), diversities: Sequence[float] = (1.0,)
) -> list[Observation]:
    """Return observations 10 thousand images and an epoch apart; the gap follows the distance.

    The last of the `diversities` is repeated.
    """
    gaps = gaps or [0.01 * distance**2 for distance in distances]
    varied = [*diversities, *[diversities[-1]] * (len(distances) - len(diversities))]
    return [
        Observation(10_000 * (i + 1), i + 1.0, *metrics)
        for i, metrics in enumerate(zip(distances, gaps, varied, strict=True))
    ]


def levelling_off(count: int, noise: float = 0.02, bottom: float = 20.0) -> list[float]:
    """Return a typical curve: steep, flat from about the 12th point onwards, and noisy."""
    source = random.Random(0)
    return [(bottom + 100 * 0.7**i) * (1 + noise * source.uniform(-1, 1)) for i in range(count)]


def test_a_curve_that_levels_off_is_an_equilibrium_from_there_on():
    distances = levelling_off(40)
    verdict = judge_training(observations(*distances))
    assert verdict.name == "equilibrium"
    assert verdict.since is not None
    assert 8 <= verdict.since.epoch <= 18
    assert verdict.since.distance <= 1.1 * min(distances)
    assert any("distance" in reason for reason in verdict.reasons)


def test_an_equilibrium_is_not_reported_before_the_plateau_is_long_enough():
    distances = levelling_off(40)
    names = [judge_training(observations(*distances[:end])).name for end in range(1, 41)]
    assert set(names[:12]) == {"learning"}
    assert "on a plateau of" in judge_training(observations(*distances[:19])).reasons[0]
    assert set(names) == {"learning", "equilibrium"}
    assert set(names[-10:]) == {"equilibrium"}
    assert set(names[names.index("equilibrium") :]) == {"equilibrium"}


def test_a_curve_that_still_falls_is_learning():
    assert judge_training(observations(*(100 * 0.97**i for i in range(60)))).name == "learning"
    steep = judge_training(observations(*(100 * 0.7**i for i in range(12))))
    assert steep.name == "learning"
    assert "still falling" in steep.reasons[0]
    assert judge_training(observations(100.0, 50.0)).name == "learning"
    assert judge_training([]).name == "learning"


SLOW = (  # docs/research/2026-11-27-equilibrium.md: every 20 kimg; it later reached 17.06
    *(62.2, 45.0, 34.0, 38.3, 30.4, 29.7, 32.4, 33.0, 31.4, 27.8, 24.9, 23.5, 21.9, 22.1),
    *(21.8, 21.3, 21.7, 21.2, 21.1, 21.3, 21.0, 20.7, 20.3, 19.8, 19.6, 19.8, 19.9, 19.9),
    *(19.7, 19.8, 19.1, 19.2, 18.9, 18.7, 18.7, 18.7, 18.7, 18.6, 18.4, 18.2, 18.3, 18.3),
    *(18.0, 18.2, 17.9, 18.3, 18.3, 18.3, 18.2, 18.2, 18.4, 18.2, 18.4),
)
GAPS = (
    *(2.88, 1.4, 0.56, 0.71, 0.65, 0.57, 1.09, 0.56, 0.32, 0.22, 0.19, 0.45, 0.68, 0.26),
    *(0.37, 0.19, 0.28, 0.91, 0.29, 0.2, 0.22, 0.44, 0.66, 0.42, 0.39, 0.02, 0.18, 0.6),
    *(0.3, -0.03, 0.42, 0.15, 0.21, 0.46, 0.02, 0.07, 0.08, 0.11, 0.44, 0.46, 0.08, 0.24),
    *(0.16, 0.19, 0.17, 0.98, 0.11, 0.09, 0.3, 0.16, 0.23, 0.3, 0.13),
)


def test_a_slow_fall_is_learning_until_its_plateau_is_long_enough():
    history = [
        Observation(20_000 * (i + 1), 1.0 + i, distance, gap)
        for i, (distance, gap) in enumerate(zip(SLOW, GAPS, strict=True))
    ]
    *before, last = [judge_training(history[:end]) for end in range(1, len(history) + 1)]
    assert {verdict.name for verdict in before} == {"learning"}  # including a plateau of 32 %
    assert last.name == "equilibrium"
    assert last.since is not None
    assert last.since.distance < 1.1 * 17.06


def test_a_level_distance_with_a_persistent_gap_is_cycling():
    verdict = judge_training(observations(*levelling_off(40), gaps=(1.0,) * 40))
    assert verdict.name == "cycling"
    assert any("gap" in reason for reason in verdict.reasons)


def test_a_distance_that_keeps_rising_diverges_and_a_single_peak_does_not():
    falling = levelling_off(20)
    assert (
        judge_training(observations(*falling, *(falling[-1] * 1.2**i for i in range(10)))).name
        == "diverging"
    )
    assert (
        judge_training(observations(*falling, 3 * falling[-1], *falling[-6:])).name != "diverging"
    )


def test_samples_that_lose_their_diversity_have_collapsed():
    verdict = judge_training(observations(*levelling_off(26), diversities=[1.0] * 20 + [0.2]))
    assert verdict.name == "collapsed"
    assert "20%" in verdict.reasons[0]


def test_samples_without_diversity_have_collapsed():
    assert judge_training(observations(*levelling_off(40), diversities=[0.2])).name == "collapsed"


COLLAPSE = {  # docs/research/2026-11-26-64px.md: distances and diversities of its first ten epochs
    "fd": [
        (1777, 2045, 1756, 1688, 1927, 1704, 1823, 1689, 1877, 1884),
        (0.446, 0.481, 0.447, 0.509, 0.354, 0.269, 0.198, 0.251, 0.144, 0.065),
    ],
    "swd": [
        (63.0, 56.9, 54.6, 54.5, 50.6, 60.2, 87.1, 52.8, 70.5, 64.8),
        (0.377, 0.472, 0.295, 0.305, 0.223, 0.175, 0.206, 0.153, 0.089, 0.081),
    ],
}


@pytest.mark.parametrize("metric", COLLAPSE)
def test_faces_that_became_one_face_in_several_colours_have_collapsed(metric: str):
    distances, diversities = COLLAPSE[metric]
    history = observations(*distances, gaps=[1.0] * 10, diversities=diversities)
    names = [judge_training(history[:end]).name for end in range(1, 11)]
    assert names[-1] == "collapsed"
    assert "collapsed" not in names[:5]  # until epoch 5 the faces differ in more than colour


HEALTHY = {  # distances and diversities of best_small, at eleven of its first 25 epochs
    "fd": [
        (1392, 1068, 766, 683, 651, 599, 548, 505, 445, 405, 365),
        (0.600, 0.606, 0.566, 0.559, 0.558, 0.549, 0.596, 0.587, 0.654, 0.647, 0.668),
    ],
    "swd": [
        (53.2, 49.1, 34.6, 25.4, 23.5, 18.5, 20.0, 18.6, 20.5, 17.3, 18.0),
        (0.462, 0.697, 0.773, 0.865, 0.854, 0.827, 0.849, 0.844, 0.799, 0.860, 0.835),
    ],
}


@pytest.mark.parametrize("metric", HEALTHY)
def test_a_run_whose_faces_grow_more_varied_has_not_collapsed(metric: str):
    distances, diversities = HEALTHY[metric]
    history = observations(*distances, gaps=[1.0] * 11, diversities=diversities)
    assert {judge_training(history[:end]).name for end in range(1, 12)} == {"learning"}


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_scale_of_a_distance_does_not_matter(scale: float):
    verdict = judge_training(observations(*(scale * distance for distance in levelling_off(40))))
    unscaled = judge_training(observations(*levelling_off(40)))
    assert verdict.name == unscaled.name == "equilibrium"
    assert verdict.since is not None
    assert unscaled.since is not None
    assert verdict.since.epoch == unscaled.since.epoch


@pytest.mark.parametrize("wrong", [{"patience": 1}, {"plateau_fraction": 1.0}])
def test_rules_that_make_no_sense_are_refused(wrong: dict):
    with pytest.raises(UserError, match=f"equilibrium.rules.{next(iter(wrong))}"):
        Rules(**wrong)
