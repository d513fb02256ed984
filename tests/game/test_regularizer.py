"""Regularizers compared with closed forms: the gradient of a linear critic is its weight."""

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.game.regularizer import (
    R1,
    R1R2,
    GradientPenalty,
    Regularizer,
    WeightClip,
    squared_gradient_norm,
)
from anime_dcgan.model import radford
from anime_dcgan.system.errors import UserError

IMAGES = torch.randn(2, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0))


class LinearCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(48, generator=torch.Generator().manual_seed(1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.weight


class QuadraticCritic(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).square().sum(1) / 2


def test_gradient_norm_of_a_quadratic_critic_is_the_norm_of_the_image():
    expected = IMAGES[0].flatten(1).square().sum(1)
    torch.testing.assert_close(squared_gradient_norm(QuadraticCritic(), IMAGES[0]), expected)


def test_gradient_penalty_of_a_linear_critic():
    critic = LinearCritic()
    penalty = GradientPenalty(weight=10).penalty(critic, *IMAGES)
    expected = 10 * (critic.weight.norm() - 1) ** 2
    torch.testing.assert_close(penalty, expected.expand(5).detach(), check_stride=False)


def test_r1_depends_on_real_images_only():
    linear = R1(weight=10).penalty(LinearCritic(), *IMAGES)
    expected = 5 * LinearCritic().weight.square().sum()
    torch.testing.assert_close(linear, expected.expand(5).detach(), check_stride=False)
    quadratic = R1(weight=4).penalty(QuadraticCritic(), *IMAGES)
    torch.testing.assert_close(quadratic, 2 * IMAGES[0].flatten(1).square().sum(1))


def test_r2_is_the_same_penalty_at_fake_images():
    both = R1R2(weight=4).penalty(QuadraticCritic(), *IMAGES)
    torch.testing.assert_close(both, 2 * IMAGES.flatten(2).square().sum((0, 2)))


@pytest.mark.parametrize("regularizer", [GradientPenalty, R1, R1R2])
def test_a_lazy_penalty_has_the_same_mean_weight(regularizer):
    always, lazy = regularizer(weight=3), regularizer(weight=3, interval=4)
    critic = QuadraticCritic()
    torch.manual_seed(0)
    full = always.penalty(critic, *IMAGES)
    assert always.at(3) is always
    for step in range(9):
        torch.manual_seed(0)
        taken = lazy.at(step).penalty(critic, *IMAGES)
        if step % 4:
            assert taken == 0
        else:
            torch.testing.assert_close(taken, 4 * full)
    assert lazy.weight == 3


def test_gradient_penalty_moves_the_critic_towards_slope_one():
    critic = LinearCritic()
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        GradientPenalty(weight=10).penalty(critic, *IMAGES).mean().backward()
        optimizer.step()
    assert critic.weight.norm().item() == pytest.approx(1, abs=1e-3)


def test_gradient_penalty_of_a_flat_critic_is_finite():
    critic = LinearCritic()
    nn.init.zeros_(critic.weight)
    GradientPenalty().penalty(critic, *IMAGES).mean().backward()
    assert critic.weight.grad is not None
    assert torch.isfinite(critic.weight.grad).all()


def test_gradient_penalty_runs_in_float32_under_autocast():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(48, 1), nn.Flatten(0))
    with torch.autocast("cpu", torch.bfloat16):
        assert GradientPenalty().penalty(critic, *IMAGES.bfloat16()).dtype == torch.float32


def test_weight_clip_clips_every_weight():
    critic = LinearCritic()
    WeightClip(limit=0.5).after_step(critic)
    assert critic.weight.abs().max().item() == 0.5
    assert (critic.weight.abs() < 0.5).any()


def test_the_base_class_does_nothing():
    critic = LinearCritic()
    before = critic.weight.clone()
    Regularizer().after_step(critic)
    assert Regularizer().penalty(critic, *IMAGES) == 0
    assert torch.equal(critic.weight, before)


def test_invalid_settings_are_refused():
    with pytest.raises(UserError, match=r"regularizer\.limit=0\.01"):
        WeightClip(limit=0.0)
    with pytest.raises(UserError, match=r"regularizer\.weight=10"):
        GradientPenalty(weight=-1.0)
    for regularizer in (Regularizer, WeightClip, R1):
        with pytest.raises(UserError, match=r"regularizer\.interval=1"):
            regularizer(interval=0)


class Counted(radford.Discriminator):
    """A discriminator that counts its forward passes."""

    passes = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return super().forward(images)


def evaluate(regularizer: Regularizer, fast: bool, one_pass: bool) -> tuple[list[Tensor], int]:
    """Return logits, penalty and their gradients, and the number of forward passes."""
    torch.manual_seed(0)
    critic = Counted(width=4, batch_norm=False, image_size=16, minibatch_std=4)
    real, fake = torch.randn(2, 8, 3, 16, 16)
    method = type(regularizer) if one_pass else Regularizer
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        found = method.logits_and_penalty(regularizer, critic, real, fake)
    cost = found.real_logits.float() - found.fake_logits.float().square() + found.penalty
    gradients = torch.autograd.grad(cost.mean(), list(critic.parameters()))
    penalty = torch.as_tensor(found.penalty)
    return [found.real_logits, found.fake_logits, penalty, *gradients], critic.passes


def test_logits_and_penalty_from_one_forward_pass_equal_those_of_two():
    once, passes = evaluate(R1R2(weight=2.0), fast=False, one_pass=True)
    twice, separate_passes = evaluate(R1R2(weight=2.0), fast=False, one_pass=False)
    assert (passes, separate_passes) == (1, 2)
    torch.testing.assert_close(once, twice, rtol=1e-5, atol=1e-7)


def test_the_penalty_is_computed_in_float32_under_autocast():
    (real_logits, _, penalty, *_), passes = evaluate(R1R2(), fast=True, one_pass=True)
    assert passes == 2
    assert (real_logits.dtype, penalty.dtype) == (torch.bfloat16, torch.float32)
