"""Tests of the order of steps, the weights that each step leaves alone, and refused settings."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from anime_dcgan.game.loss import BCE, WGAN, AdversarialLoss
from anime_dcgan.game.regularizer import R1, GradientPenalty, Regularizer, WeightClip
from anime_dcgan.model import dcgan, radford
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN
from tests.conftest import Train, assert_same_weights


def make(
    pair=dcgan,
    regularizer: Regularizer | None = None,
    loss: AdversarialLoss | None = None,
    discriminator: Mapping[str, bool] | None = None,
    **settings: object,
) -> GAN:
    make_optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    return GAN(
        pair.Generator(latent_dim=4, width=3, image_size=16),
        pair.Discriminator(width=3, image_size=16, **(discriminator or {})),
        loss or BCE(),
        regularizer or Regularizer(),
        {"generator": make_optimizer, "discriminator": make_optimizer},
        **settings,  # type: ignore[arg-type]
    )


@pytest.fixture(params=["dcgan", "radford"])
def trained(request, train: Train) -> GAN:
    """Return a module with the optimizers of a trainer."""
    return train("trainer.max_epochs=1", model=request.param)


def test_a_discriminator_step_leaves_the_generator_bit_identical(trained: GAN):
    generator, discriminator = map(copy.deepcopy, (trained.generator, trained.discriminator))
    trained.discriminator_step(torch.rand(8, 3, 16, 16) * 2 - 1)
    for before, after in zip(generator.parameters(), trained.generator.parameters(), strict=True):
        assert torch.equal(before, after)
    with pytest.raises(AssertionError):
        assert_same_weights(discriminator, trained.discriminator)


def test_a_generator_step_leaves_the_discriminator_bit_identical(trained: GAN):
    generator, discriminator = map(copy.deepcopy, (trained.generator, trained.discriminator))
    trained.generator_step(torch.rand(8, 3, 16, 16) * 2 - 1)
    pairs = zip(discriminator.parameters(), trained.discriminator.parameters(), strict=True)
    assert all(torch.equal(before, after) for before, after in pairs)
    with pytest.raises(AssertionError):
        assert_same_weights(generator, trained.generator)


def test_real_images_are_counted_and_the_generator_steps_every_critic_steps(train: Train):
    module = train("gan.critic_steps=3", "trainer.max_epochs=2")  # 32 faces: 4 batches of 8
    assert module.images_seen == 64
    assert module.discriminator_steps == 8
    optimizer = module._both_optimizers()[0].optimizer
    weight = next(module.generator.parameters())
    assert optimizer.state[weight]["step"] == 2  # after steps 3 and 6


def test_fakes_per_real_sets_the_batch_size_of_the_generator(train: Train, monkeypatch):
    counts = []
    draw = GAN._draw_latents
    monkeypatch.setattr(GAN, "_draw_latents", lambda self, n: counts.append(n) or draw(self, n))
    train("gan.fakes_per_real=2", "trainer.max_epochs=1", "callbacks=none")
    assert counts == [8, 16] * 4


def test_ema_lags_behind_the_generator_and_has_no_gradients(train: Train):
    module = train()
    with pytest.raises(AssertionError):
        assert_same_weights(module.generator_ema, module.generator)
    assert not any(parameter.requires_grad for parameter in module.generator_ema.parameters())
    followed = train("gan.ema_halflife_kimg=0", run="b")
    assert_same_weights(followed.generator_ema, followed.generator)


def test_gradient_penalty_through_batch_norm_is_refused_with_a_fix():
    with pytest.raises(UserError, match="model.discriminator.batch_norm=false"):
        make(radford, GradientPenalty())
    make(radford, GradientPenalty(), discriminator={"batch_norm": False})


SPECTRAL = {"spectral_norm": True}


def test_an_unbounded_critic_is_refused_with_a_fix():
    with pytest.raises(UserError, match=r"regularizer=weight_clip .*spectral_norm=true"):
        make(loss=WGAN())
    with pytest.raises(UserError, match="without batch normalisation"):
        make(radford, loss=WGAN(), discriminator=SPECTRAL)
    make(loss=WGAN(), discriminator=SPECTRAL)
    make(radford, loss=WGAN(), discriminator={**SPECTRAL, "batch_norm": False})
    for regularizer in (WeightClip(), GradientPenalty(), R1()):
        make(dcgan, regularizer, WGAN())


def test_clipping_normalised_weights_is_refused():
    with pytest.raises(UserError, match=r"spectral_norm=false or regularizer=none"):
        make(dcgan, WeightClip(), discriminator=SPECTRAL)


def test_a_relativistic_loss_requires_one_fake_per_real_image():
    with pytest.raises(UserError, match=r"gan\.fakes_per_real=1"):
        make(loss=BCE(relativistic=True), fakes_per_real=2.0)
    make(loss=BCE(relativistic=True))


def test_a_lazy_penalty_is_computed_every_interval_steps(train: Train):
    module = train("regularizer=r1", "regularizer.interval=2", "trainer.max_epochs=1")
    real = torch.rand(8, 3, 16, 16) * 2 - 1
    penalties = []
    for module.discriminator_steps in range(4):
        penalties.append(module.discriminator_step(real)["loss/penalty"].item())
    assert penalties[0] > 0 < penalties[2]
    assert penalties[1] == penalties[3] == 0


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("critic_steps", 0), ("fakes_per_real", 0.0), ("ema_halflife_kimg", -1.0)),
        *(("accumulate", 0), ("clip_gradient_norm", 0.0)),
    ],
)
def test_invalid_settings_are_refused(setting, value):
    with pytest.raises(UserError, match=f"gan.{setting}="):
        make(**{setting: value})


def as_vector(player: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in player.parameters()])


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_gradient_clipping_bounds_the_step_of_each_player(train: Train, limit: float):
    """Plain gradient descent moves by the learning rate times the gradient norm, or the limit."""
    module = train(
        *("optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=0.5", "callbacks=none"),
        *("gan.accumulate=2", f"gan.clip_gradient_norm={limit}", "trainer.max_epochs=1"),
    )
    steps = {
        "discriminator": lambda: module.discriminator_step(torch.rand(8, 3, 16, 16) * 2 - 1),
        "generator": lambda: module.generator_step(torch.rand(8, 3, 16, 16) * 2 - 1),
    }
    for name, step in steps.items():
        player = getattr(module, name)
        before = as_vector(player)
        norm = step()[f"gradient_norm/{name}"].item()
        moved = (as_vector(player) - before).norm().item()
        assert 1e-2 < norm < 1e2
        assert moved == pytest.approx(0.5 * min(norm, limit), rel=1e-3)


def test_clipping_scaled_gradients_is_refused(train: Train):
    module = train("gan.clip_gradient_norm=1", "max_kimg=0", "callbacks=none")
    plugin: Any = module.trainer.precision_plugin
    plugin.scaler = object()  # as trainer.precision=16-mixed has one
    with pytest.raises(UserError, match="use trainer.precision=bf16-mixed"):
        module.on_fit_start()


@pytest.mark.parametrize("setting", ["gan.fakes_per_real=1.5", "loss.relativistic=true"])
def test_two_accumulated_batches_equal_one_large_batch(train: Train, setting: str):
    """Without batch normalisation and dropout they are equal up to rounding."""
    settings = (
        *("optimizer=sgd", "optimizer.lr=0.5", "model.discriminator.dropout=0"),
        *("gan.critic_steps=2", "gan.ema_halflife_kimg=0.1", "gan.clip_gradient_norm=0.5"),
        *("callbacks=none", setting),
    )
    whole = train(*settings, "data.batch_size=16")
    parts = train(*settings, "data.batch_size=8", "gan.accumulate=2")
    small = train(*settings, "data.batch_size=8")
    assert (whole.images_seen, whole.discriminator_steps) == (64, 4)
    assert (parts.images_seen, parts.discriminator_steps) == (64, 4)
    torch.testing.assert_close(parts.state_dict(), whole.state_dict(), rtol=1e-4, atol=1e-6)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(small.state_dict(), whole.state_dict(), rtol=1e-4, atol=1e-6)


def test_metrics_of_microbatches_equal_those_of_the_whole_batch(train: Train):
    settings = ("model.discriminator.dropout=0", "trainer.max_epochs=1", "callbacks=none")
    module = train(*settings, "optimizer=sgd", "optimizer.lr=0")
    real = torch.rand(10, 3, 16, 16) * 2 - 1
    metrics = []
    for module.accumulate in (1, 4):  # the second in parts of 3, 3, 3 and 1
        torch.manual_seed(0)
        metrics.append(module.discriminator_step(real) | module.generator_step(real))
    torch.testing.assert_close(metrics[0], metrics[1])


def test_metrics_of_a_step_are_finite_scalars(trained: GAN):
    real = torch.rand(8, 3, 16, 16)
    metrics = trained.discriminator_step(real) | trained.generator_step(real)
    assert set(metrics) == {
        "loss/discriminator",
        "loss/generator",
        "loss/penalty",
        "logit/real",
        "logit/fake",
        "accuracy/real",
        "accuracy/fake",
    }
    assert all(value.shape == () and torch.isfinite(value) for value in metrics.values())
    assert not any(value.requires_grad for value in metrics.values())
