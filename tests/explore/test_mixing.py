"""Mixed latents have the expected norms and directions."""

import pytest
import torch

from anime_dcgan.explore import mixing
from anime_dcgan.system.errors import UserError


def normal(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 100, generator=torch.Generator().manual_seed(seed))


def test_interpolation_passes_through_the_latents_at_equal_angles():
    latents = torch.nn.functional.normalize(normal(3), dim=1)
    path = mixing.interpolate(latents, 4)
    assert len(path) == 9
    torch.testing.assert_close(path[::4], latents)
    angles = torch.acos((path[:-1] * path[1:]).sum(dim=1).clamp(-1, 1))
    torch.testing.assert_close(angles[:4], angles[0].expand(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(path.norm(dim=1), torch.ones(9))


def test_a_blend_has_the_norm_of_its_parents_and_the_direction_of_their_sum():
    parents = normal(3)
    weights = [0.5, 0.3, 0.2]
    mixed = mixing.blend(parents, [5, 3, 2])
    expected = torch.tensor(weights) @ parents
    assert torch.cosine_similarity(mixed, expected, dim=0) == pytest.approx(1, abs=1e-5)
    assert mixed.norm() == pytest.approx(
        float(torch.tensor(weights) @ parents.norm(dim=1)), rel=1e-5
    )
    torch.testing.assert_close(mixing.blend(parents, [0, 1, 0]), parents[1])


def test_an_equal_blend_of_two_is_the_midpoint_of_their_interpolation():
    parents = torch.nn.functional.normalize(normal(2), dim=1)
    torch.testing.assert_close(mixing.blend(parents, [1, 1]), mixing.interpolate(parents, 2)[1])


def test_blending_opposite_parents_returns_the_first():
    one = normal(1)
    torch.testing.assert_close(mixing.blend(torch.cat([one, -one]), [1, 1]), one[0])


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0], [float("nan"), 1]])
def test_invalid_weights_are_rejected(weights: list[float]):
    with pytest.raises(UserError):
        mixing.blend(normal(2), weights)


def test_a_child_depends_only_on_its_own_seed():
    parents = normal(2)
    children = mixing.breed(parents, 6, 0.3, seed=10)
    torch.testing.assert_close(mixing.breed(parents, 2, 0.3, seed=14), children[4:], rtol=0, atol=0)


def test_variation_is_the_fraction_of_noise_in_a_child():
    parents = normal(2)
    plane = torch.linalg.qr(parents.T).Q

    def outside(variation: float) -> float:
        """Return the fraction of squared norm outside the plane of the parents."""
        children = mixing.breed(parents, 64, variation, seed=0)
        inside = (children @ plane).square().sum()
        return float(1 - inside / children.square().sum())

    assert outside(0) == pytest.approx(0, abs=1e-5)
    assert outside(0.2) == pytest.approx(0.2, abs=0.05)
    assert outside(1) == pytest.approx(0.98, abs=0.02)


def test_children_have_the_norm_of_normal_latents():
    children = mixing.breed(normal(4), 64, 0.3, seed=0)
    assert children.norm(dim=1).mean() == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    ("children", "variation", "seed"), [(0, 0.1, 0), (1, 1.1, 0), (1, -0.1, 0), (2, 0.1, 2**32 - 1)]
)
def test_invalid_breeding_arguments_are_rejected(children: int, variation: float, seed: int):
    with pytest.raises(UserError):
        mixing.breed(normal(2), children, variation, seed)
