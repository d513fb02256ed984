"""Losses compared with independent implementations and published formulas."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from anime_dcgan.game.loss import BCE, LSGAN, WGAN, AdversarialLoss, Hinge
from anime_dcgan.system.errors import UserError

REAL, FAKE = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))


def test_bce_is_binary_cross_entropy_with_labels_one_and_zero():
    expected = binary_cross_entropy_with_logits(REAL, torch.ones(32), reduction="none")
    expected += binary_cross_entropy_with_logits(FAKE, torch.zeros(32), reduction="none")
    torch.testing.assert_close(BCE().discriminator(REAL, FAKE), expected)
    expected_generator = binary_cross_entropy_with_logits(FAKE, torch.ones(32), reduction="none")
    torch.testing.assert_close(BCE().generator(FAKE), expected_generator)


def test_wgan_is_the_difference_of_the_means():
    torch.testing.assert_close(WGAN().discriminator(REAL, FAKE).mean(), FAKE.mean() - REAL.mean())
    torch.testing.assert_close(WGAN().generator(FAKE).mean(), -FAKE.mean())


def test_one_sided_label_smoothing_lowers_the_label_of_real_images():
    expected = binary_cross_entropy_with_logits(REAL, torch.full((32,), 0.9), reduction="none")
    expected += binary_cross_entropy_with_logits(FAKE, torch.zeros(32), reduction="none")
    torch.testing.assert_close(BCE(smoothing=0.1).discriminator(REAL, FAKE), expected)
    torch.testing.assert_close(BCE(smoothing=0.1).generator(FAKE), BCE().generator(FAKE))
    for wrong in (-0.1, 0.5):
        with pytest.raises(UserError, match=r"loss\.smoothing=0\.1"):
            BCE(smoothing=wrong)


def test_the_saturating_generator_minimises_the_discriminators_objective():
    expected = torch.log(1 - torch.sigmoid(FAKE))
    torch.testing.assert_close(BCE(saturating=True).generator(FAKE), expected)
    confident = torch.tensor([-10.0], requires_grad=True)
    (vanished,) = torch.autograd.grad(BCE(saturating=True).generator(confident).sum(), confident)
    (non_saturating,) = torch.autograd.grad(BCE().generator(confident).sum(), confident)
    assert abs(vanished) < 1e-4 < 0.9 < abs(non_saturating)


def test_hinge_is_zero_beyond_the_margin():
    real, fake = torch.tensor([-1.0, 0.5, 1.0, 3.0]), torch.tensor([0.5, -0.5, -2.0, 2.0])
    expected = torch.tensor([2 + 1.5, 0.5 + 0.5, 0.0, 3.0])
    torch.testing.assert_close(Hinge().discriminator(real, fake), expected)
    torch.testing.assert_close(Hinge().generator(fake), -fake)


def test_the_costs_of_several_heads_are_summed():
    real = torch.tensor([[2.0, 0.5, -1.0], [1.0, 1.0, 0.0]])
    fake = torch.tensor([[-2.0, 0.0, 1.0], [0.5, -1.0, -0.5]])
    # margins of 1: real (0 + 0.5 + 2), (0 + 0 + 1); fake (0 + 1 + 2), (1.5 + 0 + 0.5)
    assert Hinge().discriminator(real, fake).tolist() == [5.5, 3.0]
    assert Hinge().generator(fake).tolist() == [1.0, 1.0]
    # relativistic: differences (4, 0.5, -2), (0.5, 2, 0.5)
    assert Hinge(relativistic=True).discriminator(real, fake).tolist() == [3.5, 1.0]


@pytest.mark.parametrize("relativistic", [False, True])
def test_one_head_is_the_game_of_one_logit(relativistic: bool):
    for loss in (BCE(relativistic), Hinge(relativistic), LSGAN(relativistic)):
        one, several = (
            loss.discriminator(REAL, FAKE),
            loss.discriminator(REAL[:, None], FAKE[:, None]),
        )
        assert torch.equal(one, several)
        assert torch.equal(loss.generator(FAKE, REAL), loss.generator(FAKE[:, None], REAL[:, None]))
        assert loss.accuracy(REAL, FAKE) == loss.accuracy(REAL[:, None], FAKE[:, None])


def test_an_image_is_classified_by_the_mean_of_its_heads():
    real = torch.tensor([[3.0, -1.0, -1.0], [-3.0, 1.0, 1.0]])  # means of 1/3 and -1/3
    on_real, on_fake = Hinge().accuracy(real, -real[:1])
    assert (on_real.item(), on_fake.item()) == (0.5, 1.0)


def test_least_squares_targets_are_one_and_minus_one():
    ones = torch.ones(32)
    expected = mse_loss(REAL, ones, reduction="none") + mse_loss(FAKE, -ones, reduction="none")
    torch.testing.assert_close(LSGAN().discriminator(REAL, FAKE), expected / 2)
    expected_generator = mse_loss(FAKE, ones, reduction="none") / 2
    torch.testing.assert_close(LSGAN().generator(FAKE), expected_generator)


def test_least_squares_with_labels_zero_and_one_differs_by_a_factor():
    """Compare with equation 9 of the paper, for a discriminator that returns (logit + 1) / 2."""
    zero_one = ((REAL + 1) / 2 - 1).square() / 2 + ((FAKE + 1) / 2).square() / 2
    torch.testing.assert_close(LSGAN().discriminator(REAL, FAKE), 4 * zero_one)


def test_relativistic_cross_entropy_compares_pairs():
    """Compare with arXiv 2501.05441, equation 2, for f(t) = -log(1 + exp(-t))."""
    loss = BCE(relativistic=True)
    expected = torch.log(1 + torch.exp(FAKE - REAL))
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), expected)
    expected_generator = torch.log(1 + torch.exp(REAL - FAKE))
    torch.testing.assert_close(loss.generator(FAKE, REAL), expected_generator)
    assert loss.discriminator(REAL + 5, FAKE + 5).allclose(expected)


def test_the_generators_relativistic_hinge_is_flat_beyond_the_margin():
    """max(0, 1 - (fake - real)): the mirror image of the discriminator's cost."""
    loss = Hinge(relativistic=True)
    real, fake = torch.tensor([[0.0, -3.0, 2.0], [0.5, 0.5, 0.5]])
    fake.requires_grad_()
    cost = loss.generator(fake, real)
    torch.testing.assert_close(cost, torch.tensor([0.5, 0.0, 2.5]))
    torch.testing.assert_close(cost, loss.discriminator(fake, real))
    assert torch.autograd.grad(cost.sum(), fake)[0].tolist() == [-1, 0, -1]


@pytest.mark.parametrize(
    "loss", [BCE(relativistic=True), Hinge(relativistic=True), LSGAN(relativistic=True)]
)
def test_the_slope_of_a_relativistic_loss_depends_on_the_real_logit(loss: AdversarialLoss):
    fake = torch.zeros(2, requires_grad=True)
    cost = loss.generator(fake, torch.tensor([-5.0, 5.0]))
    sure, unsure = torch.autograd.grad(cost.sum(), fake)[0].tolist()
    assert unsure < -0.9 < -0.1 < sure


LOSSES = [
    *(BCE(), BCE(smoothing=0.1), BCE(saturating=True), Hinge(), LSGAN(), WGAN()),
    *(BCE(relativistic=True), Hinge(relativistic=True), LSGAN(relativistic=True)),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_higher_fake_logits_cost_the_discriminator_and_reward_the_generator(loss):
    fake = torch.zeros(1, requires_grad=True)
    real = torch.zeros(1, requires_grad=True)
    by_fake, by_real = torch.autograd.grad(loss.discriminator(real, fake).sum(), (fake, real))
    assert by_fake > 0 > by_real
    assert torch.autograd.grad(loss.generator(fake, real).sum(), fake)[0] < 0


def test_accuracy_counts_logits_on_the_correct_side_of_zero():
    logits = torch.tensor([-2.0, -1.0, 3.0, 4.0])
    for loss in (BCE(), Hinge(), LSGAN()):
        on_real, on_fake = loss.accuracy(logits[1:], logits)
        assert (on_real.item(), on_fake.item()) == pytest.approx((2 / 3, 1 / 2))


@pytest.mark.parametrize("loss", [BCE(relativistic=True), WGAN()], ids=["relativistic", "wgan"])
@pytest.mark.parametrize("shift", [-100.0, 0.0, 100.0])
def test_accuracy_is_invariant_to_an_offset_where_zero_has_no_meaning(
    loss: AdversarialLoss, shift: float
):
    real, fake = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([-4.0, 0.0, 1.0, 2.0, 1.0])
    on_real, on_fake = loss.accuracy(
        real + shift, fake + shift
    )  # the means are 2.5 and 0, the boundary 1.25
    assert (on_real.item(), on_fake.item()) == pytest.approx((3 / 4, 4 / 5))
