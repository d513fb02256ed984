"""Tests of seeds and latents."""

import pytest
import torch

from anime_dcgan.sampling.latent import latent_of_seed, latents_of_seeds, slerp
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.errors import UserError


def test_each_seed_has_its_own_latent():
    assert torch.equal(latents_of_seeds([3, 7, 3], 5)[0], latent_of_seed(3, 5))
    assert not torch.equal(latent_of_seed(3, 5), latent_of_seed(4, 5))
    assert latents_of_seeds(range(200), 50).std().item() == pytest.approx(1, abs=0.03)


def test_latents_leave_the_global_random_state_alone():
    before = torch.get_rng_state()
    latent_of_seed(1, 5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(UserError, match="choose another seed"):
        latent_of_seed(seed, 5)


def test_slerp_reaches_its_ends_and_preserves_the_norm():
    start, end = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 2.0, 0.0])
    torch.testing.assert_close(slerp(start, end, 0.0), start)
    torch.testing.assert_close(slerp(start, end, 1.0), end)
    assert slerp(start, end, 0.3).norm().item() == pytest.approx(2)


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0])
def test_slerp_of_parallel_and_opposite_latents_is_finite(factor):
    start = torch.tensor([1.0, 2.0])
    assert torch.isfinite(slerp(start, factor * start, 0.5)).all()
