"""Directions are named by what they change in the pictures."""

import pytest
import torch
from torch import Tensor

from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.naming import measure_effects, name_directions
from anime_dcgan.explore.pixel_measures import MEASURES
from anime_dcgan.model.base import Generator

SIDE = 32


class Portraits(Generator):
    """Draws a face: a disc with eyes below a band of hair.

    The values of the latent are its brightness, the place of the face from left to right, orange
    hair against turquoise hair, its size, and one that changes nothing.
    """

    def __init__(self, labels: tuple[str, ...] = ()) -> None:
        super().__init__(5, labels)
        self.scale = torch.nn.Parameter(torch.tensor(0.3))

    def synthesise(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        light, place, hue, size, _ = (styles[:, 0, :5] * self.scale).unbind(1)
        grid = torch.linspace(-1, 1, SIDE)
        across = grid - 0.4 * place[:, None, None]
        down = (grid[:, None] - 0.1).expand(len(styles), -1, -1)
        radius = across.square() + down.square()
        face = torch.sigmoid(20 * (0.4 + 0.3 * size[:, None, None] - radius))
        images = (0.5 * face - 0.4)[:, None].repeat(1, 3, 1, 1)
        hair = torch.stack([hue, 0 * hue, -0.5 * hue], dim=1)[..., None, None]
        images[:, :, : SIDE // 3] += hair
        return images + 0.15 * light[:, None, None, None]


def axes(vectors: Tensor) -> list[Direction]:
    return [Direction(f"sefa.{number}", vector, 0.1) for number, vector in enumerate(vectors)]


@pytest.mark.parametrize("labels", [(), ("blond", "dark")])
def test_directions_are_named_by_what_they_change(labels: tuple[str, ...]):
    vectors = torch.eye(5)
    vectors[2] *= -1  # a sign that is not that of the name
    effects = measure_effects(Portraits(labels).eval(), axes(vectors))
    names = name_directions(effects)
    assert [(name.text, name.opposite, name.sign) for name in names] == [
        ("brighter", "darker", 1),
        ("face to the right", "face to the left", 1),
        ("more orange hair", "more turquoise hair", -1),
        ("farther away", "closer", 1),
        ("direction 5", None, 1),
    ]
    assert names[-1].effect == 0
    assert all(name.effect > 4 * name.error > 0 for name in names[:-1])


def effects_of(*directions: dict[str, float], error: float = 0.01) -> Tensor:
    """Return effects with these changes by the name of the measure, and none else."""
    rows = [[each.get(one.more, 0.0) for one in MEASURES] for each in directions]
    changes = torch.tensor(rows)
    return torch.stack([changes, torch.full_like(changes, error)], dim=1)


def test_names_differ_and_a_second_change_tells_two_apart():
    names = name_directions(
        effects_of(
            {"warmer": 2.0, "lighter hair": 1.9},
            {"warmer": -2.0, "lighter hair": 1.8},  # nearly as strong, and still free
            {"warmer": 2.0, "lighter skin": 1.0},
            {"warmer": 2.0, "lighter skin": 1.0},
            {"warmer": 2.0, "lighter skin": -1.0},
        )
    )
    assert [(name.text, name.opposite, name.sign) for name in names] == [
        ("warmer", "cooler", 1),
        ("lighter hair", "darker hair", 1),
        ("warmer, lighter skin", "cooler, darker skin", 1),
        ("warmer, lighter skin 2", "cooler, darker skin 2", 1),
        ("warmer, darker skin", "cooler, lighter skin", 1),
    ]


def test_effects_that_may_be_chance_give_no_name():
    weak = effects_of({"warmer": 0.3})
    uncertain = effects_of({"warmer": 2.0}, error=1.0)
    for effects in (weak, uncertain):
        (name,) = name_directions(effects)
        assert name.text == "direction 1" and name.opposite is None


def test_measuring_reports_its_progress_and_can_be_stopped():
    done: list[float] = []

    def report(fraction: float) -> None:
        done.append(fraction)
        if fraction > 0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        measure_effects(Portraits().eval(), axes(torch.eye(5)), report)
    assert done == sorted(done) and len(done) == 3
