"""Coverage and memorisation agree with their definitions, also on known sets."""

import numpy as np
import pytest
import torch
from torch import Tensor

from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.metric import neighbours
from anime_dcgan.metric.sliced import SlicedWasserstein


def normal(count: int, seed: int, shift: float = 0.0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, 4, generator=random) + shift


def naive(real: np.ndarray, fake: np.ndarray, k_manifold: int, k_reach: int) -> dict[str, float]:
    """Compute the equations one image at a time."""

    def reach(points: np.ndarray, k: int) -> list[float]:
        return [sorted(np.linalg.norm(points - point, axis=1))[k] for point in points]

    def inside(points: np.ndarray, centres: np.ndarray, radius: list[float]) -> float:
        hits = [
            any(
                np.linalg.norm(point - centre) <= r
                for centre, r in zip(centres, radius, strict=True)
            )
            for point in points
        ]
        return float(np.mean(hits))

    around = reach(real, k_reach)
    within = [
        [np.linalg.norm(one - other) < r for one in fake]
        for other, r in zip(real, around, strict=True)
    ]
    return {
        "precision": inside(fake, real, reach(real, k_manifold)),
        "recall": inside(real, fake, reach(fake, k_manifold)),
        "density": float(np.sum(within)) / (k_reach * len(fake)),
        "coverage": float(np.mean(np.any(within, axis=1))),
    }


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_values_agree_with_their_equations(shift: float):
    real, fake = normal(60, 0), normal(45, 1, shift)
    expected = naive(real.numpy(), fake.numpy(), 3, 5)
    found = neighbours.precision_recall(real, fake) | neighbours.density_coverage(real, fake)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_block_size_does_not_matter(monkeypatch):
    real, fake = normal(50, 0), normal(40, 1)

    def measured() -> list[float]:
        found = neighbours.nearest(fake, real)
        return [
            *neighbours.precision_recall(real, fake).values(),
            *neighbours.density_coverage(real, fake).values(),
            *found.relative_distance.tolist(),
        ]

    in_one_block = measured()
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    assert measured() == pytest.approx(in_one_block, rel=1e-5)


def test_equal_sets_are_covered_and_distant_ones_are_not():
    real = normal(100, 0)
    same = neighbours.precision_recall(real, real) | neighbours.density_coverage(real, real)
    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)
    far = neighbours.precision_recall(real, real + 100) | neighbours.density_coverage(
        real, real + 100
    )
    assert set(far.values()) == {0}


def test_a_collapse_lowers_recall_and_coverage_but_not_precision():
    real = normal(300, 0)
    collapsed = 0.01 * normal(300, 1)
    values = neighbours.precision_recall(real, collapsed)
    assert values["precision"] > 0.9
    assert values["recall"] < 0.02
    assert neighbours.density_coverage(real, collapsed)["coverage"] < 0.2


def test_copies_are_memorised_and_others_are_not():
    training, others = normal(200, 0), normal(200, 1)
    copies = training[:50] + 0.01 * normal(50, 2)
    found = neighbours.nearest(copies, training)
    assert found.memorised == 1
    assert found.rows.tolist() == list(range(50))
    assert 0.2 < neighbours.nearest(others, training).memorised < 0.7
    assert neighbours.nearest(5 * others, training).memorised < 0.2


def test_distances_are_relative_to_those_between_training_images():
    training = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 10.0]])
    found = neighbours.nearest(torch.tensor([[0.0, -1.0], [0.0, 9.0]]), training)
    assert found.rows.tolist() == [0, 2]
    assert found.relative_distance.tolist() == pytest.approx([1 / 3, 1 / 10])
    nearest = neighbours.nearest_rows(torch.tensor([[2.0, 0.0]]), training, 3)
    assert nearest.tolist() == [[1, 0, 2]]


def test_recall_falls_when_a_hair_colour_is_withheld(cache_dir):
    """Real faces of a hair colour that is withheld from synthetic faces are no longer covered."""
    source = DrawnFaces(900)
    images = torch.from_numpy(np.array(open_cache(source, 16, cache_dir).images))
    features = SlicedWasserstein().features([images], torch.device("cpu"))
    colours = [source.factors(index).hair_colour for index in range(len(source))]
    green = torch.tensor([colour in ("green", "mint", "teal") for colour in colours])
    real, generated = features[:450], features[450:]
    withheld = generated[~green[450:]]
    kept = generated[: len(withheld)]  # the same number, of all colours
    assert _recall(real, withheld) < _recall(real, kept)
    of_the_colour = real[green[:450]]
    assert _recall(of_the_colour, withheld) < 0.85 * _recall(of_the_colour, kept)


def _recall(real: Tensor, fake: Tensor) -> float:
    return neighbours.precision_recall(real, fake)["recall"]
