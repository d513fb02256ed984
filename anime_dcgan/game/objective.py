"""What each player's step minimises: the loss, and for the discriminator the regularizer.

Both look through the augmentation: the discriminator is shown augmented images alone, real and
fake, each with draws of its own, and the generator's gradient comes back through it. Penalties are
taken at the augmented images and on the slope there, where the discriminator is used.

A step may take its batch in parts, one after the other in memory: the gradient of the mean over the
batch is the sum of the gradients of the parts' means, each times its part's share of the batch.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.loss import AdversarialLoss
from anime_dcgan.game.regularizer import Regularizer
from anime_dcgan.model.coupling import apply_to_both


class Microbatch(NamedTuple):
    """Of a batch."""

    weight: float
    """Of the batch, in (0, 1]."""
    samples: Float[Tensor, "n ..."]


def microbatches(batch: Float[Tensor, "n ..."], count: int) -> list[Microbatch]:
    """The batch in `count` parts as equal as can be; in fewer where there are fewer samples."""
    return [Microbatch(len(samples) / len(batch), samples) for samples in batch.chunk(count)]


class DiscriminatorCost(NamedTuple):
    """Means over the batch, and the logits that they come from."""

    cost: Float[Tensor, ""]
    penalty: Float[Tensor, ""]
    real_logits: Float[Tensor, " n"]
    fake_logits: Float[Tensor, " n"]


def discriminator_cost(
    discriminator: nn.Module,
    loss: AdversarialLoss,
    regularizer: Regularizer,
    augment: Augment,
    real: Float[Tensor, "n ..."],
    fake: Float[Tensor, "n ..."],
) -> DiscriminatorCost:
    """The discriminator's cost of telling these apart, and its penalty; they are to be added."""
    real, fake = augment(real), augment(fake)
    logits = apply_to_both(discriminator, discriminator, real, fake)
    real_logits, fake_logits = (each.float() for each in logits)
    cost = loss.discriminator(real_logits, fake_logits).mean()
    penalty = regularizer.penalty(discriminator, real, fake)
    if not isinstance(penalty, Tensor):
        penalty = cost.new_full((), penalty)  # as_tensor would wait for a copy to the GPU
    return DiscriminatorCost(cost, penalty.mean(), real_logits, fake_logits)


def generator_cost(
    discriminator: nn.Module,
    loss: AdversarialLoss,
    augment: Augment,
    real: Float[Tensor, "m ..."],
    fake: Float[Tensor, "n ..."],
) -> Float[Tensor, ""]:
    """The generator's cost of these fakes, mean over the batch.

    The real images, as many, are looked at where the loss is relativistic.
    """
    fake_logits = discriminator(augment(fake)).float()
    if not loss.relativistic:
        return loss.generator(fake_logits).mean()
    with torch.no_grad():
        real_logits = discriminator(augment(real)).float()
    return loss.generator(fake_logits, real_logits).mean()
