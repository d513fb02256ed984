"""The approximate duality gap: how far two players are from an equilibrium.

Grnarova et al. 2019, arXiv 1811.05512, equation 1: with M the value of the game, which the
discriminator maximises and the generator minimises,

    gap(G, D) = max_D' M(D', G) - min_G' M(D, G')

is never negative, and 0 in an equilibrium, where neither player gains by changing alone. Here a
copy of each player trains for k steps against the other, which stays fixed, on data that the game
is not trained on. After so few steps the copies are not best responses: the result is what the
players gain within k steps. It estimates a lower bound of the gap, and noise can make it negative.
It grows with k and with the learning rates, and is comparable only where these are the same
(benchmarks/results/duality_gap.md). In an equilibrium it is 0 for every k.

The copies take the steps of the training (`game.step`): the same loss, augmentation, batch sizes,
gradient clipping and lazy penalties, at the learning rates before any schedule. An adaptive
augmentation, like a ramp, keeps the value it has reached.
"""

import copy
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn, optim
from torch.nn.modules.batchnorm import _BatchNorm

from anime_dcgan.game.step import DrawLatents, Game, Labels, label_parts, microbatches
from anime_dcgan.model.growth import Growth
from anime_dcgan.model.labels import with_labels
from anime_dcgan.system.memory import scaled_batch

MIN_BATCH = 16  # images on which the value is taken at a time: enough for batch normalisation
PLAYERS = ("generator", "discriminator", "generator_optimizer", "discriminator_optimizer")


@dataclass(frozen=True)
class DualityGap:
    """Gain of each player within k steps against the other, which stays fixed."""

    discriminator: float
    """M(D', G) - M(D, G)."""
    generator: float
    """M(D, G) - M(D, G')."""

    @property
    def total(self) -> float:
        """The approximate duality gap."""
        return self.discriminator + self.generator


def duality_gap(
    game: Game,
    batches: Sequence[Float[Tensor, "_ ..."]],
    draw_latents: DrawLatents,
    real: Float[Tensor, "_ ..."],
    step: int = 0,
    labels: Sequence[Labels] | None = None,
    real_labels: Labels = None,
) -> DualityGap:
    """Let a copy of each player respond to the other for as many steps as there are batches.

    The players and their optimizers are not changed; torch's random state is.

    Parameters:
        batches: real samples that the copies train on.
        draw_latents: returns the given number of latents, new ones at each call.
        real: samples on which the value is taken, not in `batches`.
        step: number of discriminator steps taken so far; the copy's steps follow them.
        labels: labels of each batch; None if the networks take none.
        real_labels: labels of `real`.
    """
    latents = draw_latents(len(real))
    before = value(copy_game(game), real, latents, real_labels)
    parts = list(zip(batches, labels or [None] * len(batches), strict=True))

    response = _responding(game)
    for index, (batch, some_labels) in enumerate(parts):
        response.discriminator_step(batch, draw_latents, step + index, some_labels)
    discriminator_gain = value(response, real, latents, real_labels) - before

    response = _responding(game)
    for index, (batch, some_labels) in enumerate(parts):
        response.generator_step(batch, draw_latents, step + index, some_labels)
    return DualityGap(discriminator_gain, before - value(response, real, latents, real_labels))


def value(
    game: Game,
    real: Float[Tensor, "_ ..."],
    latents: Float[Tensor, "_ latent_dim"],
    labels: Labels = None,
) -> float:
    """Return M: the negated loss of the discriminator on these samples, without dropout.

    The random draws of the augmentation are the same at each call, so that neither player gains
    from them. The networks are left in the mode in which the value is taken. Images above 64 px are
    evaluated in batches that take as much memory as all of them would at 64 px.
    """
    for network in (game.generator, game.discriminator):
        _evaluation_mode(network)
    devices = [real.device] if real.is_cuda else []
    size = scaled_batch(len(real), real.shape[-1], MIN_BATCH)
    count = math.ceil(len(real) / size)
    parts = zip(
        microbatches(real, count),
        microbatches(latents, count),
        label_parts(labels, count),
        strict=False,
    )
    total = 0.0
    with torch.no_grad(), game.precision(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(0)
        for (weight, some_real), (_, some_latents), some_labels in parts:
            some_real = game.augment(some_real)
            fake = game.augment(game.generate(some_latents, some_labels))
            discriminator = with_labels(game.discriminator, some_labels)
            real_logits, fake_logits = discriminator(some_real).float(), discriminator(fake).float()
            total -= weight * game.loss.discriminator(real_logits, fake_logits).mean().item()
    return total


def copy_game(game: Game) -> Game:
    """Return the game with copies of the players and of their optimizers."""
    memo: dict[int, object] = {}  # shared, so that an optimizer's copy refers to copied weights
    copies: dict[str, Any] = {"generator_regularizer": copy.deepcopy(game.generator_regularizer)}
    for name in PLAYERS:
        original = getattr(game, name)
        copies[name] = copy.deepcopy(original, memo)
        if isinstance(original, optim.Optimizer):
            # deepcopy copies parameter groups and state only; subclasses, such as those of
            # pytorch_optimizer, may have further attributes
            for attribute in vars(original).keys() - vars(copies[name]).keys():
                setattr(copies[name], attribute, copy.deepcopy(getattr(original, attribute), memo))
    return dataclasses.replace(game, **copies)


def _responding(game: Game) -> Game:
    """Return a copy of the game for a response, at the learning rates before any schedule."""
    response = copy_game(game)
    for network in (response.generator, response.discriminator):
        network.train()
    for optimizer in (response.generator_optimizer, response.discriminator_optimizer):
        assert isinstance(optimizer, optim.Optimizer)
        for group in optimizer.param_groups:
            group["lr"] = group.get("initial_lr", group["lr"])
    return response


def _evaluation_mode(network: nn.Module) -> None:
    """Disable dropout; as in training, batch normalisation uses the statistics of the batch, and
    images have the size to which the networks have grown."""
    network.eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm | Growth):
            module.train()
