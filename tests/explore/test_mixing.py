"""Mixed latents lie where they should."""

import pytest
import torch

from anime_dcgan.explore import mixing
from anime_dcgan.system.errors import UserError


def normal(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 100, generator=torch.Generator().manual_seed(seed))


def test_a_way_passes_its_corners_in_equal_angles():
    corners = torch.nn.functional.normalize(normal(3), dim=1)
    way = mixing.between(corners, 4)
    assert len(way) == 9
    torch.testing.assert_close(way[::4], corners)
    angles = torch.acos((way[:-1] * way[1:]).sum(dim=1).clamp(-1, 1))
    torch.testing.assert_close(angles[:4], angles[0].expand(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(way.norm(dim=1), torch.ones(9))


def test_a_blend_has_the_length_of_its_parents_and_the_direction_of_their_sum():
    parents = normal(3)
    shares = [0.5, 0.3, 0.2]
    mixed = mixing.blend(parents, [5, 3, 2])
    wanted = torch.tensor(shares) @ parents
    assert torch.cosine_similarity(mixed, wanted, dim=0) == pytest.approx(1, abs=1e-5)
    assert mixed.norm() == pytest.approx(
        float(torch.tensor(shares) @ parents.norm(dim=1)), rel=1e-5
    )
    torch.testing.assert_close(mixing.blend(parents, [0, 1, 0]), parents[1])


def test_a_blend_of_two_is_the_middle_of_the_way_between_them():
    parents = torch.nn.functional.normalize(normal(2), dim=1)
    torch.testing.assert_close(mixing.blend(parents, [1, 1]), mixing.between(parents, 2)[1])


def test_opposite_parents_have_no_middle_and_break_nothing():
    one = normal(1)
    torch.testing.assert_close(mixing.blend(torch.cat([one, -one]), [1, 1]), one[0])


@pytest.mark.parametrize("shares", [[1], [1, -1], [0, 0], [float("nan"), 1]])
def test_shares_that_are_none_are_refused(shares: list[float]):
    with pytest.raises(UserError):
        mixing.blend(normal(2), shares)


def test_children_depend_on_their_own_seed_alone():
    parents = normal(2)
    children = mixing.breed(parents, 6, 0.3, seed=10)
    torch.testing.assert_close(mixing.breed(parents, 2, 0.3, seed=14), children[4:], rtol=0, atol=0)


def test_variation_leads_from_the_parents_to_strangers():
    parents = normal(2)
    plane = torch.linalg.qr(parents.T).Q

    def outside(variation: float) -> float:
        """The share of children's squared length that no mixture of the parents has."""
        children = mixing.breed(parents, 64, variation, seed=0)
        inside = (children @ plane).square().sum()
        return float(1 - inside / children.square().sum())

    assert outside(0) == pytest.approx(0, abs=1e-5)
    assert outside(0.2) == pytest.approx(0.2, abs=0.05)
    assert outside(1) == pytest.approx(0.98, abs=0.02)


def test_children_are_as_long_as_latents_are():
    children = mixing.breed(normal(4), 64, 0.3, seed=0)
    assert children.norm(dim=1).mean() == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    ("children", "variation", "seed"), [(0, 0.1, 0), (1, 1.1, 0), (1, -0.1, 0), (2, 0.1, 2**32 - 1)]
)
def test_impossible_children_are_refused(children: int, variation: float, seed: int):
    with pytest.raises(UserError):
        mixing.breed(normal(2), children, variation, seed)
