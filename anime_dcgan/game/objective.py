"""The cost that each player's step minimises: the loss, plus the discriminator's penalty.

Both players' costs are computed on augmented images: the discriminator sees real and fake images
through independent draws of the augmentation, and the generator's gradient flows back through it.
Penalties are evaluated at the augmented images, where the discriminator is used, or, if it begins
with layers that are not trained, at what these return.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.loss import AdversarialLoss
from anime_dcgan.game.regularizer import Regularizer
from anime_dcgan.model.base import FixedFirst, TrainedPart
from anime_dcgan.model.coupling import apply_to_both
from anime_dcgan.model.labels import with_labels


class DiscriminatorCost(NamedTuple):
    """Loss and penalty, both means over the batch, and the logits behind them.

    The discriminator minimises `loss + penalty`.
    """

    loss: Float[Tensor, ""]
    penalty: Float[Tensor, ""]
    real_logits: Float[Tensor, " n *heads"]
    fake_logits: Float[Tensor, " n *heads"]


def discriminator_cost(
    discriminator: nn.Module,
    loss: AdversarialLoss,
    regularizer: Regularizer,
    augment: Augment,
    real: Float[Tensor, "n ..."],
    fake: Float[Tensor, "n ..."],
    labels: Float[Tensor, "n classes"] | None = None,
) -> DiscriminatorCost:
    """Return the discriminator's cost on equally many real and fake samples of the same labels."""
    real, fake = augment(real), augment(fake)
    if regularizer.per_sample_gradients:
        discriminator, real, fake = _skip_fixed_layers(discriminator, real, fake)
    discriminator = with_labels(discriminator, labels)
    evaluated = regularizer.logits_and_penalty(discriminator, real, fake)
    real_logits, fake_logits = evaluated.real_logits.float(), evaluated.fake_logits.float()
    mean_loss = loss.discriminator(real_logits, fake_logits).mean()
    penalty = evaluated.penalty
    if not isinstance(penalty, Tensor):
        penalty = mean_loss.new_full((), penalty)  # as_tensor would wait for a copy to the GPU
    return DiscriminatorCost(mean_loss, penalty.mean(), real_logits, fake_logits)


def _skip_fixed_layers(
    discriminator: nn.Module, real: Float[Tensor, "n ..."], fake: Float[Tensor, "n ..."]
) -> tuple[nn.Module, Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
    """Return the trained part of a discriminator and what it receives of real and fake images."""
    if not isinstance(discriminator, FixedFirst):
        return discriminator, real, fake
    real, fake = apply_to_both(discriminator.encode, discriminator, real, fake)
    return TrainedPart(discriminator), real, fake


def generator_cost(
    discriminator: nn.Module,
    loss: AdversarialLoss,
    augment: Augment,
    real: Float[Tensor, "m ..."],
    fake: Float[Tensor, "n ..."],
    labels: Float[Tensor, "n classes"] | None = None,
) -> Float[Tensor, ""]:
    """Return the generator's mean cost on these fakes, which have these labels.

    A relativistic loss compares them with `real`, of the same size and labels; other losses ignore
    `real`.
    """
    discriminator = with_labels(discriminator, labels)
    fake_logits = discriminator(augment(fake)).float()
    if not loss.relativistic:
        return loss.generator(fake_logits).mean()
    with torch.no_grad():
        real_logits = discriminator(augment(real)).float()
    return loss.generator(fake_logits, real_logits).mean()
