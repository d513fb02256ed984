"""Diversity agrees with closed forms, and falls for faces that are similar in a known way."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from anime_dcgan.data.drawn import DrawnFaces, FaceFactors, draw_face
from anime_dcgan.metric import variety
from anime_dcgan.metric.sliced import SlicedWasserstein


def normal(count: int, seed: int, dimensions: int = 4) -> Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


def test_the_mean_distance_is_that_of_all_pairs(monkeypatch):
    points = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert variety.mean_distance(points) == pytest.approx((3 + 4 + 5) / 3)
    monkeypatch.setattr(variety, "BLOCK", 2)
    assert variety.mean_distance(points) == pytest.approx(4)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_the_effective_rank_of_equal_variances_is_the_number_of_directions(scale: float):
    """The mean and the scale of the points do not matter."""
    corners = torch.eye(6) * scale + 10  # all differ equally: 5 directions
    assert variety.effective_rank(corners) == pytest.approx(5, rel=1e-3)
    line = torch.linspace(-scale, scale, 50)[:, None] * torch.tensor([[1.0, 2.0, 3.0]])
    assert variety.effective_rank(line) == pytest.approx(1, rel=1e-3)


def test_the_effective_rank_of_unequal_directions_is_the_exponential_of_their_entropy():
    points = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # variances 9 : 1
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert variety.effective_rank(points) == pytest.approx(math.exp(entropy))
    assert variety.effective_rank(points.T.repeat(3, 1)) >= 1  # more columns than rows


def test_identical_points_have_no_diversity():
    same = torch.zeros(10, 3)
    assert variety.effective_rank(same) == 0
    assert variety.diversity(normal(10, 0, 3), same) == 0
    assert variety.diversity(normal(300, 0), 0.01 * normal(300, 1)) < 0.02


def test_equal_sets_are_equally_diverse():
    assert variety.diversity(normal(300, 0), normal(300, 1)) == pytest.approx(1, abs=0.1)


def test_points_along_one_direction_are_less_diverse():
    real = normal(300, 0)
    line = 2 * normal(300, 1, 1) * torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert variety.mean_distance(line) > 0.7 * variety.mean_distance(real)
    assert variety.diversity(real, line) < 0.3


def test_one_face_in_several_colours_has_little_diversity():
    """The mean distance alone does not detect a collapse to one face in many colours."""
    source = DrawnFaces(240)
    real = [source.factors(index) for index in range(240)]
    colours = [field.name for field in dataclasses.fields(FaceFactors) if "colour" in field.name]
    one = [
        dataclasses.replace(real[0], **{name: getattr(other, name) for name in colours})
        for other in real
    ]
    varied, repainted = features(real), features(one)
    assert variety.mean_distance(repainted) > 0.6 * variety.mean_distance(varied)
    assert variety.diversity(varied, repainted) < 0.4
    half = variety.diversity(varied[:120], varied[120:])
    assert half == pytest.approx(1, abs=0.15)


def features(faces: list[FaceFactors]) -> Tensor:
    pictures = np.stack([np.asarray(draw_face(factors, 16)) for factors in faces])
    return SlicedWasserstein().features([torch.from_numpy(pictures)], torch.device("cpu"))
