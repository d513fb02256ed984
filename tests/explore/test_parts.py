"""Colours and shapes of a generator's faces are varied apart."""

import torch
from torch import Tensor

from anime_dcgan.explore import parts
from anime_dcgan.explore.face import Face
from anime_dcgan.explore.model import Model
from anime_dcgan.model.base import Generator


class Painter(Generator):
    """Two values of the latent tint the image, and two move a bright bar; rotated, to hide them."""

    def __init__(self) -> None:
        super().__init__(4)
        random = torch.Generator().manual_seed(1)
        axes = torch.linalg.qr(torch.randn(4, 4, generator=random)).Q
        self.axes = torch.nn.Parameter(axes, requires_grad=False)

    def synthesise(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        warm, green, across, down = (styles[:, 0] @ self.axes.T).unbind(1)
        grid = torch.linspace(-2, 2, 16)
        rows = (grid[:, None] - down[:, None, None]) ** 2
        bar = (-rows - (grid - across[:, None, None]) ** 2).exp()
        tint = torch.stack([warm, green, -warm], dim=1)[..., None, None] * 0.3
        return bar[:, None] * 0.5 + tint


PAINTER = Painter().eval()


def model() -> Model:
    return Model(PAINTER, "0" * 20, None, {"epochs_done": 1})


def test_directions_of_colours_are_told_from_those_of_shapes():
    painter = model()
    found = parts.find_colours(painter.generator, lambda _: None)
    colours = PAINTER.axes[:2]
    assert len(found) == 2
    torch.testing.assert_close((found @ colours.T).norm(dim=1), torch.ones(2), atol=0.02, rtol=0)


def test_variations_change_one_part_only():
    painter = model()
    found = parts.find_colours(painter.generator, lambda _: None)
    face = Face("a", "1", seed=3)
    own = painter.styles(face)[0] @ PAINTER.axes.T
    tint, place = slice(0, 2), slice(2, 4)
    cases: list[tuple[parts.Part, slice, slice]] = [
        ("colour", place, tint),
        ("shape", tint, place),
    ]
    for part, same, other in cases:
        one, two = parts.vary(painter, found, face, part, [7, 8])
        assert one.donor.seed == 7 and one.face != two.face
        new = painter.styles(one.face)[0] @ PAINTER.axes.T
        torch.testing.assert_close(new[same], own[same], atol=0.1, rtol=0)
        assert (new[other] - own[other]).abs().max() > 0.1
