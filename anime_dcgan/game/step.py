"""The training steps of both players, in plain torch.

`training.gan.GAN` takes these steps with Lightning's optimizers and backward pass, and the duality
gap takes them with copies of the players. There is no second implementation.

A step may process its batch as microbatches, so that only one of them has to fit into memory: the
gradient of the mean over the batch is the sum of the microbatches' mean gradients, each weighted by
the microbatch's share of the batch.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import cycle, repeat
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.generator_regularizer import GeneratorRegularizer
from anime_dcgan.game.loss import AdversarialLoss, mean_over_heads
from anime_dcgan.game.objective import DiscriminatorCost, discriminator_cost, generator_cost
from anime_dcgan.game.regularizer import Regularizer

Metrics = dict[str, Tensor]
"""Scalars by name, detached."""
DrawLatents = Callable[[int], Float[Tensor, "_ latent_dim"]]
"""Returns the given number of new latents."""


@runtime_checkable
class Optimizer(Protocol):
    """The methods of an optimizer, torch's or Lightning's, that a step calls."""

    def zero_grad(self) -> None: ...

    def step(self) -> Any: ...


class Microbatch(NamedTuple):
    """A microbatch and its share of the full batch, in (0, 1]."""

    weight: float
    samples: Float[Tensor, "n ..."]


Labels = Float[Tensor, "_ classes"] | None
"""Labels of a batch (see `model.labels`); None if the networks take none."""


def microbatches(batch: Float[Tensor, "n ..."], count: int) -> list[Microbatch]:
    """Split a batch into `count` microbatches of nearly equal size, or fewer if it is smaller."""
    return [Microbatch(len(samples) / len(batch), samples) for samples in batch.chunk(count)]


@dataclass(frozen=True)
class Game:
    """Two players with their optimizers, and the rules that they play by.

    Parameters:
        fakes_per_real: size of the generator's batch over that of the real batch.
        accumulate: number of microbatches per step.
        clip_gradient_norm: max gradient norm per player; None disables clipping.
        precision: context in which the networks and their costs are computed.
        backward: computes the gradients of a scalar cost.
        average: averages a player's gradients, and the statistics of all modules, over processes.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    loss: AdversarialLoss
    regularizer: Regularizer
    augment: Augment = field(default_factory=Augment)
    fakes_per_real: float = 1.0
    accumulate: int = 1
    clip_gradient_norm: float | None = None
    precision: Callable[[], AbstractContextManager[object]] = nullcontext
    backward: Callable[[Tensor], Any] = Tensor.backward
    average: Callable[..., None] | None = None
    generator_regularizer: GeneratorRegularizer = field(default_factory=GeneratorRegularizer)

    def discriminator_step(
        self,
        real: Float[Tensor, "n ..."],
        draw_latents: DrawLatents,
        step: int,
        labels: Labels = None,
    ) -> tuple[Metrics, Float[Tensor, " n"]]:
        """Update the discriminator once; the generator is not changed.

        Parameters:
            real: batch of real samples; as many fake ones are generated.
            step: index of this discriminator step, from 0; lazy regularizers depend on it.
            labels: labels of the real samples, which the fake ones have too; None if the networks
                take none.

        Returns:
            Means over the batch by name, and the logit of each real sample (its mean over heads).
        """
        means: list[tuple[float, Metrics]] = []
        real_logits: list[Tensor] = []
        regularizer = self.regularizer.at(step)
        self.discriminator_optimizer.zero_grad()
        latents = microbatches(draw_latents(len(real)), self.accumulate)
        parts = zip(
            microbatches(real, self.accumulate),
            latents,
            label_parts(labels, self.accumulate),
            strict=False,
        )
        for (weight, some_real), (_, some_latents), some_labels in parts:
            with self.precision():
                with torch.no_grad():
                    fake = self.generate(some_latents, some_labels)
                cost = discriminator_cost(
                    self.discriminator,
                    self.loss,
                    regularizer,
                    self.augment,
                    some_real,
                    fake,
                    some_labels,
                )
            self.backward(weight * (cost.loss + cost.penalty))
            means.append((weight, _discriminator_metrics(self.loss, cost)))
            real_logits.append(mean_over_heads(cost.real_logits.detach()))
        if self.average is not None:
            self.average(self.discriminator, self.generator, self.generator_regularizer)
        norm = self._clip_gradient("discriminator")
        self.discriminator_optimizer.step()
        self.regularizer.after_step(self.discriminator)
        return _batch_means(means) | norm, torch.cat(real_logits)

    def generator_step(
        self,
        real: Float[Tensor, "n ..."],
        draw_latents: DrawLatents,
        step: int = 0,
        labels: Labels = None,
    ) -> Metrics:
        """Update the generator once; the discriminator is not changed.

        Parameters:
            real: batch of real samples; it sets the number of fakes, and a relativistic loss
                compares the fakes with it.
            step: index of this generator step, from 0; lazy regularizers depend on it.
            labels: labels of the real samples, which are repeated for the fakes.

        Returns:
            Means over the batch by name.
        """
        means: list[tuple[float, Metrics]] = []
        regularizer = self.generator_regularizer.at(step)
        self.generator_optimizer.zero_grad()
        latents = draw_latents(round(self.fakes_per_real * len(real)))
        reals = cycle(microbatches(real, self.accumulate))
        parts = zip(
            microbatches(latents, self.accumulate),
            reals,
            label_parts(_repeat(labels, len(latents)), self.accumulate),
            strict=False,
        )
        with _frozen(self.discriminator):
            for (weight, some_latents), (_, some_real), some_labels in parts:
                with self.precision():
                    fake = self.generate(some_latents, some_labels)
                    cost = generator_cost(
                        self.discriminator, self.loss, self.augment, some_real, fake, some_labels
                    )
                    penalty = regularizer.penalty(self.generator, some_latents, some_labels)
                self.backward(weight * (cost + penalty))
                means.append((weight, _generator_metrics(cost, penalty)))
        if self.average is not None:
            self.average(self.generator, self.discriminator, self.generator_regularizer)
        norm = self._clip_gradient("generator")
        self.generator_optimizer.step()
        return _batch_means(means) | norm

    def generate(
        self, latents: Float[Tensor, "n latent_dim"], labels: Labels
    ) -> Float[Tensor, "n ..."]:
        """Return the generator's samples of these latents and labels."""
        return self.generator(latents) if labels is None else self.generator(latents, labels=labels)

    def _clip_gradient(self, player: str) -> Metrics:
        """Clip the player's gradient; return its norm before clipping."""
        if self.clip_gradient_norm is None:
            return {}
        network: nn.Module = getattr(self, player)
        norm = clip_grad_norm_(network.parameters(), self.clip_gradient_norm)
        return {f"gradient_norm/{player}": norm.detach()}


def label_parts(labels: Labels, count: int) -> Iterable[Labels]:
    """Yield the labels of each microbatch: None endlessly if there are none."""
    return repeat(None) if labels is None else labels.chunk(count)


def _repeat(labels: Labels, count: int) -> Labels:
    """Return `count` labels, which begin again after the last one."""
    return None if labels is None else labels.repeat(-(-count // len(labels)), 1)[:count]


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients flow through a network without computing those of its weights."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _discriminator_metrics(loss: AdversarialLoss, cost: DiscriminatorCost) -> Metrics:
    real_logits, fake_logits = cost.real_logits.detach(), cost.fake_logits.detach()
    on_real, on_fake = loss.accuracy(real_logits, fake_logits)
    return {
        "loss/discriminator": cost.loss.detach(),
        "loss/penalty": cost.penalty.detach(),
        "logit/real": real_logits.mean(),
        "logit/fake": fake_logits.mean(),
        "accuracy/real": on_real,
        "accuracy/fake": on_fake,
    }


def _generator_metrics(cost: Tensor, penalty: Tensor | float) -> Metrics:
    metrics = {"loss/generator": cost.detach()}
    if isinstance(penalty, Tensor):
        metrics["loss/generator_penalty"] = penalty.detach()
    return metrics


def _batch_means(means: list[tuple[float, Metrics]]) -> Metrics:
    """Combine the weighted means over microbatches into means over the batch."""
    _, first = means[0]
    return {
        name: torch.stack([weight * metrics[name] for weight, metrics in means]).sum()
        for name in first
    }
