"""Real and fake images in one batch: the same, wherever that can be."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.loss import BCE
from anime_dcgan.game.objective import discriminator_cost
from anime_dcgan.game.regularizer import R1R2, GradientPenalty, Regularizer
from anime_dcgan.model import coupling, dcgan, radford
from anime_dcgan.model.coupling import apply_to_both, can_share_a_batch, has_batch_norm

REAL, FAKE = torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
CRITIC = partial(radford.Discriminator, width=4, batch_norm=False, image_size=16)
IN_ONE = {
    "dcgan": partial(dcgan.Discriminator, width=4, dropout=0.0, image_size=16),
    "radford": CRITIC,
    "compares threes": partial(CRITIC, minibatch_std=3),
}
APART = {
    "batch_norm": partial(CRITIC, batch_norm=True),
    "compares fours": partial(CRITIC, minibatch_std=4),  # which six images are not made of
}


def test_discriminator_with_batch_norm_is_recognised():
    assert has_batch_norm(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)))
    assert not has_batch_norm(nn.Sequential(nn.Conv2d(1, 1, 1), nn.GroupNorm(1, 1)))


@pytest.mark.parametrize("make", APART.values(), ids=APART)
def test_images_that_would_meet_others_than_before_stay_apart(make):
    assert not can_share_a_batch(make(), 6, 6)
    assert seen_at_once(make(), R1R2()) == [6, 6, 6, 6]


@pytest.mark.parametrize("make", IN_ONE.values(), ids=IN_ONE)
def test_all_others_are_one_batch(make):
    assert can_share_a_batch(make(), 6, 6)
    assert seen_at_once(make(), R1R2()) == [12, 12]


def test_each_batch_is_to_be_made_of_groups():
    critic = CRITIC(minibatch_std=3)
    assert can_share_a_batch(critic, 3, 6, 9)
    assert not can_share_a_batch(critic, 6, 4)


def seen_at_once(discriminator: nn.Module, regularizer: Regularizer) -> list[int]:
    sizes: list[int] = []
    discriminator.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    discriminator_cost(discriminator, BCE(), regularizer, Augment(), REAL, FAKE)
    return sizes


@pytest.mark.parametrize("regularizer", [Regularizer(), R1R2(), GradientPenalty()])
@pytest.mark.parametrize("make", IN_ONE.values(), ids=IN_ONE)
def test_one_batch_costs_and_teaches_the_same(make, regularizer, monkeypatch):
    discriminator = make()

    def cost_and_gradients() -> list[Tensor]:
        torch.manual_seed(0)  # of the gradient penalty
        discriminator.zero_grad()
        paid = discriminator_cost(discriminator, BCE(), regularizer, Augment(), REAL, FAKE)
        (paid.cost + paid.penalty).backward()
        gradients = [weight.grad.clone() for weight in discriminator.parameters()]
        return [value.detach() for value in paid] + gradients

    joined = cost_and_gradients()
    monkeypatch.setattr(coupling, "can_share_a_batch", lambda *_: False)
    for ours, apart in zip(joined, cost_and_gradients(), strict=True):
        torch.testing.assert_close(ours, apart, rtol=1e-4, atol=1e-5)


def test_as_many_real_as_fake_images_are_not_needed():
    def sums(images: Tensor) -> Tensor:
        return images.flatten(1).sum(1)

    of_real, of_fake = apply_to_both(sums, nn.Identity(), REAL, FAKE[:2])
    torch.testing.assert_close(of_real, sums(REAL))
    torch.testing.assert_close(of_fake, sums(FAKE[:2]))
