"""Losses against formulas that were written down elsewhere."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from anime_dcgan.loss import BCE, WGAN, accuracy

REAL, FAKE = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))


def test_bce_is_binary_cross_entropy_with_real_as_one_and_fake_as_zero():
    expected = binary_cross_entropy_with_logits(REAL, torch.ones(32), reduction="none")
    expected += binary_cross_entropy_with_logits(FAKE, torch.zeros(32), reduction="none")
    torch.testing.assert_close(BCE().discriminator(REAL, FAKE), expected)
    wished = binary_cross_entropy_with_logits(FAKE, torch.ones(32), reduction="none")
    torch.testing.assert_close(BCE().generator(FAKE), wished)


def test_wgan_is_the_difference_of_the_means():
    torch.testing.assert_close(WGAN().discriminator(REAL, FAKE).mean(), FAKE.mean() - REAL.mean())
    torch.testing.assert_close(WGAN().generator(FAKE).mean(), -FAKE.mean())


@pytest.mark.parametrize("loss", [BCE(), WGAN()])
def test_sign_law(loss):
    """Raising fake logits raises the discriminator's loss and lowers the generator's."""
    fake = torch.zeros(1, requires_grad=True)
    real = torch.zeros(1, requires_grad=True)
    by_fake, by_real = torch.autograd.grad(loss.discriminator(real, fake).sum(), (fake, real))
    assert by_fake > 0 > by_real
    assert torch.autograd.grad(loss.generator(fake).sum(), fake)[0] < 0


def test_accuracy_counts_the_right_side_of_zero():
    logits = torch.tensor([-2.0, -1.0, 3.0, 4.0])
    assert accuracy(logits[1:], real=True).item() == pytest.approx(2 / 3)
    assert accuracy(logits[1:], real=False).item() == pytest.approx(1 / 3)
