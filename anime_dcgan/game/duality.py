"""How far a pair of players is from an equilibrium: the duality gap.

Grnarova et al. 2019, arXiv 1811.05512, equation 1: with M the value of the game, which the
discriminator wants high and the generator low,

    gap(G, D) = max_D' M(D', G) - min_G' M(D, G')

is never negative and 0 in an equilibrium, where no player gains by changing alone. The best
responses are approached as the paper does: copies of each player train for some steps against the
other, which stays as it is, on data that the game is not trained on.

It is the game of the training: where that augments the images, the copies and the value see
augmented images, too, and an adaptive augmentation stays at the strength that it has reached.
"""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import cycle

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.loss import AdversarialLoss
from anime_dcgan.game.objective import discriminator_cost, generator_cost, microbatches
from anime_dcgan.game.regularizer import Regularizer

Real = Float[Tensor, "_ ..."]
Latents = Float[Tensor, "_ latent_dim"]
DrawLatents = Callable[[int], Latents]


@dataclass(frozen=True)
class Game:
    """Two players as they stand, each with its optimizer, and what they play for.

    `accumulate` and `clip_gradient_norm` are those of the training, as in `GAN`.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    loss: AdversarialLoss
    regularizer: Regularizer
    augment: Augment = field(default_factory=Augment)
    precision: Callable[[], AbstractContextManager[object]] = nullcontext
    accumulate: int = 1
    clip_gradient_norm: float | None = None

    def copy(self) -> "Game":
        """The same game with players of its own, ready to be trained or judged."""
        players = _copies(
            self.generator,
            self.discriminator,
            self.generator_optimizer,
            self.discriminator_optimizer,
        )
        names = [field.name for field in dataclasses.fields(self)]
        return dataclasses.replace(self, **dict(zip(names, players, strict=False)))

    def value(self, real: Real, latents: Latents) -> float:
        """M: the negated cost of the discriminator on these images, without dropout.

        The draws of the augmentation are the same each time, so that no player gains by them.
        """
        for network in (self.generator, self.discriminator):
            _as_judged(network)
        devices = [real.device] if real.is_cuda else []
        with torch.no_grad(), self.precision(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            real, fake = self.augment(real), self.augment(self.generator(latents))
            real_logits = self.discriminator(real).float()
            fake_logits = self.discriminator(fake).float()
            return -self.loss.discriminator(real_logits, fake_logits).mean().item()

    def to_train(self) -> None:
        """Both players as they are in training."""
        self.generator.train()
        self.discriminator.train()

    def discriminator_step(self, real: Real, latents: Latents) -> None:
        """As in training."""
        self.discriminator_optimizer.zero_grad()
        pairs = zip(
            microbatches(real, self.accumulate), microbatches(latents, self.accumulate), strict=True
        )
        for (weight, some_real), (_, some_latents) in pairs:
            with self.precision():
                with torch.no_grad():
                    fake = self.generator(some_latents)
                paid = discriminator_cost(
                    self.discriminator, self.loss, self.regularizer, self.augment, some_real, fake
                )
            (weight * (paid.cost + paid.penalty)).backward()
        self._clip(self.discriminator)
        self.discriminator_optimizer.step()
        self.regularizer.after_step(self.discriminator)

    def generator_step(self, real: Real, latents: Latents) -> None:
        """As in training."""
        self.generator_optimizer.zero_grad()
        pairs = zip(
            microbatches(latents, self.accumulate), cycle(microbatches(real, self.accumulate))
        )
        for (weight, some_latents), (_, some_real) in pairs:
            with self.precision():
                fake = self.generator(some_latents)
                cost = generator_cost(self.discriminator, self.loss, self.augment, some_real, fake)
            (weight * cost).backward()
        self._clip(self.generator)
        self.generator_optimizer.step()

    def _clip(self, player: nn.Module) -> None:
        if self.clip_gradient_norm is not None:
            clip_grad_norm_(player.parameters(), self.clip_gradient_norm)


@dataclass(frozen=True)
class DualityGap:
    """What each player gains by answering the other as it stands."""

    discriminator: float
    """M(D', G) - M(D, G)."""
    generator: float
    """M(D, G) - M(D, G')."""

    @property
    def total(self) -> float:
        return self.discriminator + self.generator


def duality_gap(
    game: Game, batches: Sequence[Real], draw_latents: DrawLatents, real: Real
) -> DualityGap:
    """Let a copy of each player answer the other for as many steps as there are batches.

    Parameters:
        batches: real images that the discriminator answers with.
        draw_latents: gives so many latents, others each time.
        real: images on which the value is taken, not in `batches`.

    The players themselves stay as they are; the random state of torch does not.
    """
    judged = draw_latents(len(real))
    before = game.copy().value(real, judged)

    answer = game.copy()
    answer.to_train()
    for batch in batches:
        answer.discriminator_step(batch, draw_latents(len(batch)))
    gained_by_discriminator = answer.value(real, judged) - before

    answer = game.copy()
    answer.to_train()
    answer.discriminator.requires_grad_(False)
    for batch in batches:
        answer.generator_step(batch, draw_latents(len(batch)))
    return DualityGap(gained_by_discriminator, before - answer.value(real, judged))


def _copies(*players: nn.Module | Optimizer) -> list[nn.Module | Optimizer]:
    """Copies that belong together as the players do.

    torch's optimizers copy their groups and their state only; what subclasses keep beside them, as
    those of pytorch_optimizer do, comes along here.
    """
    memo: dict[int, object] = {}
    copies = [copy.deepcopy(player, memo) for player in players]
    for player, twin in zip(players, copies, strict=True):
        if isinstance(player, Optimizer):
            for name in vars(player).keys() - vars(twin).keys():
                setattr(twin, name, copy.deepcopy(getattr(player, name), memo))
    return copies


def _as_judged(network: nn.Module) -> None:
    """Without dropout; batch normalisation by the batch, as the players meet it in training."""
    network.eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()
