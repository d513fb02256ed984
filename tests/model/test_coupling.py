"""Real and fake images are evaluated as one batch where the results are the same."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.loss import BCE
from anime_dcgan.game.objective import discriminator_cost
from anime_dcgan.game.regularizer import R1, R1R2, GradientPenalty, Regularizer
from anime_dcgan.model import coupling, dcgan, radford
from anime_dcgan.model.coupling import apply_to_both, can_share_a_batch, has_batch_norm

REAL, FAKE = torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
CRITIC = partial(radford.Discriminator, width=4, batch_norm=False, image_size=16)
SHARED = {
    "dcgan": partial(dcgan.Discriminator, width=4, dropout=0.0, image_size=16),
    "radford": CRITIC,
    "minibatch_std=3": partial(CRITIC, minibatch_std=3),
}
SEPARATE = {
    "batch_norm": partial(CRITIC, batch_norm=True),
    "minibatch_std=4": partial(CRITIC, minibatch_std=4),
}


def test_discriminator_with_batch_norm_is_recognised():
    assert has_batch_norm(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)))
    assert not has_batch_norm(nn.Sequential(nn.Conv2d(1, 1, 1), nn.GroupNorm(1, 1)))


@pytest.mark.parametrize("make", SEPARATE.values(), ids=SEPARATE)
def test_batches_stay_separate_where_samples_would_be_coupled_differently(make):
    assert not can_share_a_batch(make(), 6, 6)
    assert batch_sizes(make(), R1R2()) == [6, 6]
    assert batch_sizes(make(), R1R2(), fast=True) == [6, 6, 6, 6]
    assert batch_sizes(make(), R1()) == [6, 6, 6]


@pytest.mark.parametrize("make", SHARED.values(), ids=SHARED)
def test_other_discriminators_see_one_batch(make):
    assert can_share_a_batch(make(), 6, 6)
    assert batch_sizes(make(), R1R2()) == [12]  # logits and penalty from one forward pass
    assert batch_sizes(make(), R1R2(), fast=True) == [12, 12]
    assert batch_sizes(make(), R1()) == [12, 6]


def test_each_batch_must_consist_of_whole_groups():
    critic = CRITIC(minibatch_std=3)
    assert can_share_a_batch(critic, 3, 6, 9)
    assert not can_share_a_batch(critic, 6, 4)


def batch_sizes(
    discriminator: nn.Module, regularizer: Regularizer, fast: bool = False
) -> list[int]:
    """Return the sizes of the batches that the discriminator sees in one step."""
    sizes: list[int] = []
    discriminator.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        discriminator_cost(discriminator, BCE(), regularizer, Augment(), REAL, FAKE)
    return sizes


@pytest.mark.parametrize("regularizer", [Regularizer(), R1R2(), GradientPenalty()])
@pytest.mark.parametrize("make", SHARED.values(), ids=SHARED)
def test_one_batch_gives_the_same_cost_and_gradients(make, regularizer, monkeypatch):
    discriminator = make()

    def cost_and_gradients() -> list[Tensor]:
        torch.manual_seed(0)  # for the draws of the gradient penalty
        discriminator.zero_grad()
        cost = discriminator_cost(discriminator, BCE(), regularizer, Augment(), REAL, FAKE)
        (cost.loss + cost.penalty).backward()
        gradients = [weight.grad.clone() for weight in discriminator.parameters()]
        return [value.detach() for value in cost] + gradients

    shared = cost_and_gradients()
    monkeypatch.setattr(coupling, "can_share_a_batch", lambda *_: False)
    for ours, separate in zip(shared, cost_and_gradients(), strict=True):
        torch.testing.assert_close(ours, separate, rtol=1e-4, atol=1e-5)


def test_real_and_fake_batches_may_differ_in_size():
    def sums(images: Tensor) -> Tensor:
        return images.flatten(1).sum(1)

    at_real, at_fake = apply_to_both(sums, nn.Identity(), REAL, FAKE[:2])
    torch.testing.assert_close(at_real, sums(REAL))
    torch.testing.assert_close(at_fake, sums(FAKE[:2]))
