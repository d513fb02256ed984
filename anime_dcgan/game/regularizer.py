"""What holds the discriminator back: a penalty per sample, or a change after each of its steps."""

import copy
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.game.double_backward import input_gradient
from anime_dcgan.model.coupling import apply_to_both
from anime_dcgan.system.errors import UserError


class Regularizer:
    """Base of all regularizers, and on its own the one that does nothing."""

    couples_samples: ClassVar[bool] = True
    """Whether a discriminator may mix the samples of a batch, as batch normalisation does."""

    bounds: ClassVar[bool] = False
    """Whether a discriminator that gains by ever larger logits is held back."""

    def at(self, step: int) -> "Regularizer":
        """What holds the discriminator back in its step of that number, from 0."""
        return self

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"] | float:
        """What is added to the discriminator's cost of each pair; differentiable in its weights."""
        return 0.0

    def after_step(self, discriminator: nn.Module) -> None:
        """Called after each step of the discriminator's optimizer."""


class WeightClip(Regularizer):
    """Clip every weight of the critic to [-limit, limit]: arXiv 1701.07875, algorithm 1, line 7."""

    bounds = True

    def __init__(self, limit: float = 0.01) -> None:
        if limit <= 0:
            raise UserError(
                f"regularizer.limit={limit} leaves no weight: use regularizer.limit=0.01"
            )
        self.limit = limit

    @torch.no_grad()
    def after_step(self, discriminator: nn.Module) -> None:
        for weight in discriminator.parameters():
            weight.clamp_(-self.limit, self.limit)


class WeightedPenalty(Regularizer):
    """Base of the penalties on each sample's own gradient, with their weight in the cost.

    Parameters:
        weight: of the penalty in the cost of a pair.
        interval: it is taken in every so many-th step, and weighs as many times more there: the
            lazy regularisation of StyleGAN2, arXiv 1912.04958, section 3.1.
    """

    couples_samples = False
    bounds = True

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        if weight < 0:
            raise UserError(
                f"regularizer.weight={weight} rewards steep critics: use regularizer.weight=10"
            )
        if interval < 1:
            raise UserError(
                f"regularizer.interval={interval} is no number of steps: use regularizer.interval=1"
            )
        self.weight = weight
        self.interval = interval

    def at(self, step: int) -> Regularizer:
        if self.interval == 1:
            return self
        if step % self.interval:
            return Regularizer()
        now = copy.copy(self)
        now.weight = self.interval * self.weight
        return now


class GradientPenalty(WeightedPenalty):
    """weight * (|grad D(x)| - 1)^2 between real and fake: arXiv 1704.00028, equation 3.

    It runs in float32 whatever the precision of the training.
    """

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"]:
        fraction = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
        between = torch.lerp(fake.float(), real.float(), fraction)
        squared_norm = squared_gradient_norm(discriminator, between)
        return self.weight * ((squared_norm + 1e-12).sqrt() - 1) ** 2  # sqrt has no slope at 0


class R1(WeightedPenalty):
    """weight / 2 * |grad D(x)|^2 at real images: arXiv 1801.04406, equation 9; float32."""

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"]:
        return self.weight / 2 * squared_gradient_norm(discriminator, real)


class R1R2(WeightedPenalty):
    """R1 and the same at fake images (R2): arXiv 1801.04406, equations 9 and 10; float32.

    With a relativistic loss it is the regularizer of R3GAN, arXiv 2501.05441, section 2.2.
    """

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"]:
        norm = partial(squared_gradient_norm, discriminator)
        at_real, at_fake = apply_to_both(norm, discriminator, real, fake)
        return self.weight / 2 * (at_real + at_fake)


def squared_gradient_norm(
    discriminator: nn.Module, images: Float[Tensor, "n ..."]
) -> Float[Tensor, " n"]:
    """|d D(x)/d x|^2 of each image, in float32, differentiable in the discriminator's weights."""
    with torch.autocast(images.device.type, enabled=False):
        gradient = input_gradient(discriminator, images.float())
    return gradient.flatten(1).square().sum(1)
