"""Verdicts on courses that are known: games of the literature, and curves of known shape."""

import dataclasses
import random

import pytest
import torch

from anime_dcgan.errors import UserError
from anime_dcgan.loss import WGAN
from anime_dcgan.regularizer import R1, Regularizer
from anime_dcgan.verdict import Observation, Rules, judge
from tests.games import Games, dirac, play, ring


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks are faster so, and the same on every machine."""
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
def test_the_dirac_gan_with_r1_comes_to_an_equilibrium(games: Games):
    verdict = judge(list(play(*games, steps=1000, every=50)))
    assert verdict.name == "equilibrium"
    assert verdict.since is not None
    assert verdict.since.distance < 0.02  # it began at 1


@pytest.mark.parametrize(
    "games",
    [dirac(Regularizer()), with_linear_loss(dirac(Regularizer()))],
    ids=["cross-entropy", "linear"],
)
def test_the_dirac_gan_without_r1_is_never_called_an_equilibrium(games: Games):
    course = list(play(*games, steps=1500, every=50))
    verdicts = [judge(course[:end]).name for end in range(1, len(course) + 1)]
    assert "cycling" in verdicts
    assert "equilibrium" not in verdicts


def test_a_ring_of_gaussians_with_r1_comes_to_an_equilibrium():
    course = list(play(*ring(R1(0.5)), steps=4800, every=200, halflife=100))
    verdict = judge(course)
    assert verdict.name == "equilibrium"
    assert verdict.since is not None
    assert verdict.since.distance < 1.5 * min(seen.distance for seen in course)


def test_a_ring_of_gaussians_without_r1_collapses():
    course = list(play(*ring(Regularizer()), steps=2000, every=200))
    verdicts = [judge(course[:end]).name for end in range(1, len(course) + 1)]
    assert verdicts[-1] == "collapsed"
    assert "equilibrium" not in verdicts


def course(
    *distances: float, gaps: tuple[float, ...] = (), diversity: float = 1.0
) -> list[Observation]:
    """Observations 10 thousand images and an epoch apart; the gap falls with the distance."""
    gaps = gaps or tuple(0.01 * distance**2 for distance in distances)
    return [
        Observation(10_000 * (i + 1), i + 1.0, distance, gap, diversity)
        for i, (distance, gap) in enumerate(zip(distances, gaps, strict=True))
    ]


def levelling(count: int, noise: float = 0.02, bottom: float = 20.0) -> list[float]:
    """A curve such as a training gives: steep, flat from about the 12th point on, noisy."""
    source = random.Random(0)
    return [(bottom + 100 * 0.7**i) * (1 + noise * source.uniform(-1, 1)) for i in range(count)]


def test_a_curve_that_levels_off_is_an_equilibrium_where_it_levelled_off():
    distances = levelling(40)
    verdict = judge(course(*distances))
    assert verdict.name == "equilibrium"
    assert verdict.since is not None
    assert 8 <= verdict.since.epoch <= 18
    assert verdict.since.distance <= 1.1 * min(distances)
    assert any("distance" in reason for reason in verdict.reasons)


def test_it_is_not_called_before_the_rest_has_lasted():
    distances = levelling(40)
    names = [judge(course(*distances[:end])).name for end in range(1, 41)]
    assert set(names[:12]) == {"learning"}
    assert "too short a rest" in judge(course(*distances[:19])).reasons[0]
    assert names[-1] == "equilibrium"
    first = names.index("equilibrium")
    assert set(names[first:]) == {"equilibrium"}


def test_a_curve_that_still_falls_is_learning():
    assert judge(course(*(100 * 0.97**i for i in range(60)))).name == "learning"
    steep = judge(course(*(100 * 0.7**i for i in range(12))))
    assert steep.name == "learning"
    assert "still falls" in steep.reasons[0]
    assert judge(course(100.0, 50.0)).name == "learning"
    assert judge([]).name == "learning"


def test_a_level_distance_with_a_gap_that_stays_is_none():
    verdict = judge(course(*levelling(40), gaps=(1.0,) * 40))
    assert verdict.name == "cycling"
    assert any("gap" in reason for reason in verdict.reasons)


def test_a_distance_that_rises_for_good_diverges_and_one_peak_does_not():
    falling = levelling(20)
    assert judge(course(*falling, *(falling[-1] * 1.2**i for i in range(10)))).name == "diverging"
    assert judge(course(*falling, 3 * falling[-1], *falling[-6:])).name != "diverging"


def test_samples_that_become_alike_have_collapsed():
    varied = course(*levelling(20))
    alike = course(*levelling(26), diversity=0.2)[20:]
    verdict = judge([*varied, *alike])
    assert verdict.name == "collapsed"
    assert "20%" in verdict.reasons[0]


def test_samples_that_always_were_alike_are_no_equilibrium():
    assert judge(course(*levelling(40), diversity=0.3)).name == "collapsed"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_scale_of_a_distance_does_not_matter(scale: float):
    verdict = judge(course(*(scale * distance for distance in levelling(40))))
    unscaled = judge(course(*levelling(40)))
    assert verdict.name == unscaled.name == "equilibrium"
    assert verdict.since is not None
    assert unscaled.since is not None
    assert verdict.since.epoch == unscaled.since.epoch


@pytest.mark.parametrize("wrong", [{"patience": 1}, {"rest_share": 1.0}])
def test_rules_that_make_no_sense_are_refused(wrong: dict):
    with pytest.raises(UserError, match=f"equilibrium.rules.{next(iter(wrong))}"):
        Rules(**wrong)
