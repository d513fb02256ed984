"""The duality gap agrees with closed forms and has no side effects."""

import copy
import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.game.augment import Adaptive, Augment
from anime_dcgan.game.duality import DualityGap, copy_game, duality_gap, value
from anime_dcgan.game.loss import BCE, WGAN
from anime_dcgan.game.regularizer import R1, GradientPenalty, Regularizer, WeightClip
from anime_dcgan.game.step import Game
from tests.conftest import assert_same_weights
from tests.games import Point, Slope, ring


def draw(count: int) -> Tensor:
    return torch.randn(count, 1)


def draw_eight(count: int) -> Tensor:
    return torch.randn(count, 8)


def linear_game(position: float, slope: float, regularizer: Regularizer | None = None) -> Game:
    """Return the Dirac-GAN with a linear loss, whose value is -slope * position."""
    generator, discriminator = Point(position), Slope(slope)
    return Game(
        generator,
        discriminator,
        torch.optim.SGD(generator.parameters(), 0.1),
        torch.optim.SGD(discriminator.parameters(), 0.1),
        WGAN(),
        regularizer or Regularizer(),
    )


@pytest.mark.parametrize(("position", "slope"), [(1.0, 0.5), (-2.0, 1.0), (0.3, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("steps", [1, 4])
def test_each_player_gains_as_in_gradient_steps_on_a_bilinear_game(position, slope, steps):
    """k steps of learning rate r change the slope by -k r position, the position by k r slope."""
    zeros = torch.zeros(6, 1)
    gap = duality_gap(linear_game(position, slope), [zeros] * steps, draw, zeros)
    assert gap.discriminator == pytest.approx(0.1 * steps * position**2, abs=1e-6)
    assert gap.generator == pytest.approx(0.1 * steps * slope**2, abs=1e-6)
    assert gap.total == pytest.approx(gap.discriminator + gap.generator)


def test_copies_of_optimizers_keep_additional_attributes():
    """AdaBelief has such attributes, which `deepcopy` of a torch optimizer loses."""
    adabelief = pytest.importorskip("pytorch_optimizer").AdaBelief
    game = linear_game(1.0, 0.5)
    game = dataclasses.replace(
        game,
        generator_optimizer=adabelief(game.generator.parameters(), lr=0.1),
        discriminator_optimizer=adabelief(game.discriminator.parameters(), lr=0.1),
    )
    zeros = torch.zeros(6, 1)
    gap = duality_gap(game, [zeros] * 4, draw, zeros)
    assert gap.discriminator > 0
    assert gap.generator > 0


def test_the_regularizer_applies_to_the_response():
    zeros = torch.zeros(6, 1)
    gap = duality_gap(linear_game(10.0, 0.5, WeightClip(limit=0.6)), [zeros] * 4, draw, zeros)
    assert gap.discriminator == pytest.approx((0.5 + 0.6) * 10, rel=1e-5)


def test_gradients_of_the_response_are_clipped_as_in_training():
    """The slope's gradient is the position, 2, which a limit of 0.5 reduces to a quarter."""
    zeros = torch.zeros(6, 1)
    game = dataclasses.replace(linear_game(2.0, 0.25), clip_gradient_norm=0.5)
    gap = duality_gap(game, [zeros] * 4, draw, zeros)
    assert gap.discriminator == pytest.approx(0.1 * 4 * 0.5 * 2, rel=1e-4)
    assert gap.generator == pytest.approx(0.1 * 4 * 0.25**2, rel=1e-4)


def test_responses_in_microbatches_equal_those_of_whole_batches():
    game, target = ring(R1())
    batches = [target.real(30, torch.Generator().manual_seed(seed)) for seed in range(4)]

    def gap(accumulate: int) -> DualityGap:
        torch.manual_seed(0)
        split = dataclasses.replace(game, accumulate=accumulate)
        return duality_gap(
            split, batches[:3], lambda n: torch.randn(n, target.latent_dim), batches[3]
        )

    assert dataclasses.astuple(gap(4)) == pytest.approx(dataclasses.astuple(gap(1)), rel=1e-4)


def test_neither_player_gains_at_the_equilibrium_of_cross_entropy():
    """The value of a constant discriminator and the true generator is -2 log 2, the gap 0."""
    game = dataclasses.replace(linear_game(0.0, 0.0), loss=BCE())
    zeros = torch.zeros(6, 1)
    assert value(copy_game(game), zeros, draw(6)) == pytest.approx(
        -2 * torch.tensor(2.0).log().item()
    )
    assert duality_gap(game, [zeros] * 3, draw, zeros).total == pytest.approx(0, abs=1e-7)


def test_players_and_optimizers_are_not_changed():
    game, target = ring(GradientPenalty())
    random = torch.Generator().manual_seed(0)
    game.discriminator_step(target.real(16, random), draw_eight, 0)
    game.generator_step(target.real(16, random), draw_eight)
    game.discriminator.requires_grad_(True)
    optimizer: Any = game.generator_optimizer
    before = copy_game(game)
    state = copy.deepcopy(optimizer.state_dict())
    batches = [target.real(16, random) for _ in range(3)]
    gap = duality_gap(game, batches, lambda n: torch.randn(n, 8), target.real(64, random))
    assert gap.total > 0
    assert_same_weights(game.generator, before.generator)
    assert_same_weights(game.discriminator, before.discriminator)
    for key, kept in optimizer.state_dict()["state"].items():
        assert all(torch.equal(kept[name], state["state"][key][name]) for name in kept)
    assert game.discriminator.training
    assert all(parameter.requires_grad for parameter in game.discriminator.parameters())


@pytest.mark.parametrize("factor", [1e-1, 1e-3, 0.0])
def test_the_gap_does_not_depend_on_the_schedule(factor: float):
    """A falling schedule would otherwise make the gap vanish without an equilibrium."""
    game, truth = ring(R1())
    batches = [truth.real(30, torch.Generator().manual_seed(seed)) for seed in range(4)]
    groups = [
        group
        for optimizer in (game.generator_optimizer, game.discriminator_optimizer)
        for group in optimizer.param_groups  # type: ignore[attr-defined]
    ]

    def gap() -> DualityGap:
        torch.manual_seed(0)
        return duality_gap(game, batches[:3], draw_eight, batches[3])

    constant = gap()
    for group in groups:
        group["initial_lr"] = group["lr"]
        group["lr"] *= factor
    assert gap() == constant
    assert [group["lr"] for group in groups] == [factor * group["initial_lr"] for group in groups]


def test_responses_start_from_the_state_of_the_optimizers():
    """Adam's second moments from past steps shorten the first step of a response."""
    game, target = ring(Regularizer())
    random = torch.Generator().manual_seed(0)
    game.discriminator_step(1000 * target.real(16, random), draw_eight, 0)
    fresh = dataclasses.replace(
        game, discriminator_optimizer=torch.optim.Adam(game.discriminator.parameters(), 1e-3)
    )
    real = target.real(64, random)

    def gain(played: Game) -> float:
        torch.manual_seed(0)
        return duality_gap(played, [real], lambda n: torch.randn(n, 8), real).discriminator

    assert gain(game) != pytest.approx(gain(fresh))


def test_the_value_is_taken_without_dropout_and_with_batch_statistics():
    generator = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    discriminator = nn.Sequential(nn.Dropout(0.9), nn.Linear(2, 1), nn.Flatten(0))
    first, second = (
        torch.optim.SGD(network.parameters(), 0.1) for network in (generator, discriminator)
    )
    game = Game(generator, discriminator, first, second, BCE(), Regularizer())
    real, latents = torch.randn(32, 2), torch.randn(32, 1)
    values = {round(value(copy_game(game), real, latents), 6) for _ in range(3)}
    assert len(values) == 1
    played = copy_game(game)
    nn.init.constant_(played.generator[1].running_mean, 100.0)  # type: ignore[index, arg-type]
    assert round(value(played, real, latents), 6) in values


def image_game(augment: Augment) -> Game:
    networks = nn.Linear(2, 3 * 16**2), nn.Linear(3 * 16**2, 1)
    generator = nn.Sequential(networks[0], nn.Unflatten(1, (3, 16, 16)))
    discriminator = nn.Sequential(nn.Flatten(), networks[1], nn.Flatten(0))
    first, second = (torch.optim.SGD(net.parameters(), 0.01) for net in networks)
    return Game(generator, discriminator, first, second, BCE(), Regularizer(), augment)


def test_the_duality_gap_augments_images_and_changes_neither_p_nor_the_random_state():
    augment = Adaptive(initial=0.5, adjust_kimg=0.01, every=1)
    before = {name: value.clone() for name, value in augment.state_dict().items()}
    game, real, latents = image_game(augment), torch.rand(8, 3, 16, 16), torch.randn(8, 2)
    state = torch.get_rng_state()
    augmented = value(copy_game(game), real, latents)
    unaugmented = value(dataclasses.replace(copy_game(game), augment=Augment()), real, latents)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert value(copy_game(game), real, latents) == augmented
    assert augmented != unaugmented
    duality_gap(game, [real] * 3, lambda n: torch.randn(n, 2), real)
    assert all(torch.equal(before[name], kept) for name, kept in augment.state_dict().items())


def test_the_value_of_large_images_is_taken_in_batches():
    """It is the mean over batches, none of which is larger than 16 images of 256 px."""
    sizes: list[int] = []

    class Picture(nn.Module):
        def forward(self, latents: Tensor) -> Tensor:
            sizes.append(len(latents))
            return latents[:, :, None, None].expand(-1, -1, 1, 256)

    class Mean(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            return pictures.mean((1, 2, 3))

    networks, optimizer = (Picture(), Mean()), torch.optim.SGD([torch.zeros(1)])
    game = Game(*networks, optimizer, optimizer, BCE(), Regularizer())
    real, latents = torch.randn(40, 1, 1, 256), torch.randn(40, 1)
    in_batches = value(game, real, latents)
    assert sizes == [14, 14, 12]
    expected = -BCE().discriminator(real.mean((1, 2, 3)), latents[:, 0]).mean().item()
    assert in_batches == pytest.approx(expected, rel=1e-5)
