"""Regularizers of the discriminator: penalties per sample, or a change after each step."""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.game.double_backward import input_gradient, outputs_and_input_gradient
from anime_dcgan.game.lazy import check_interval, check_weight, due
from anime_dcgan.model.coupling import apply_to_both
from anime_dcgan.system.errors import UserError


class Evaluation(NamedTuple):
    """The discriminator's raw logits of a batch of pairs, and the penalty of each pair."""

    real_logits: Float[Tensor, " n *heads"]
    fake_logits: Float[Tensor, " n *heads"]
    penalty: Float[Tensor, " n"] | float


class Regularizer:
    """Base class of all regularizers; by itself it does nothing.

    Parameters:
        interval: number of steps from one penalty to the next; of no effect where there is none, so
            that an experiment can set it for any regularizer.
    """

    per_sample_gradients: ClassVar[bool] = False
    """True if the gradient of a sample must not depend on the others, as batch norm makes it do."""

    adds_over_heads: ClassVar[bool] = True
    """True if a discriminator with several heads has the sum of its heads' penalties."""

    bounds: ClassVar[bool] = False
    """True if it bounds a discriminator whose loss rewards ever larger logits."""

    def __init__(self, interval: int = 1) -> None:
        check_interval("regularizer", interval)
        self.interval = interval

    def at(self, step: int) -> "Regularizer":
        """Return the regularizer for the discriminator's step of this index, from 0."""
        return self

    def logits_and_penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Evaluation:
        """Evaluate the discriminator at real and fake samples, with the penalty of each pair."""
        real_logits, fake_logits = apply_to_both(discriminator, discriminator, real, fake)
        return Evaluation(real_logits, fake_logits, self.penalty(discriminator, real, fake))

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"] | float:
        """Return the term added to the cost of each pair, differentiable in the weights."""
        return 0.0

    def after_step(self, discriminator: nn.Module) -> None:
        """Change the discriminator after a step of its optimizer, in place."""


class WeightClip(Regularizer):
    """Clip the weights of the critic to [-limit, limit]: arXiv 1701.07875, algorithm 1, line 7.

    Weights that are not trained stay as they are.
    """

    bounds = True

    def __init__(self, limit: float = 0.01, interval: int = 1) -> None:
        super().__init__(interval)
        if limit <= 0:
            raise UserError(
                f"regularizer.limit={limit} must be positive: use regularizer.limit=0.01"
            )
        self.limit = limit

    @torch.no_grad()
    def after_step(self, discriminator: nn.Module) -> None:
        for weight in discriminator.parameters():
            if weight.requires_grad:
                weight.clamp_(-self.limit, self.limit)


class WeightedPenalty(Regularizer):
    """Base class of weighted penalties on the gradient of each sample.

    Parameters:
        weight: weight of the penalty in the cost of a pair.
        interval: number of steps from one penalty to the next; each is weighted `interval` times as
            much (lazy regularization of StyleGAN2, arXiv 1912.04958, section 3.1).
    """

    per_sample_gradients = True
    bounds = True

    weight: float | Tensor
    """A ramp replaces the number by a tensor (training/ramps.py)."""

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        check_weight("regularizer", weight, example=10)
        super().__init__(interval)
        self.weight = weight

    def at(self, step: int) -> Regularizer:
        return due(self, step) or Regularizer()


class GradientPenalty(WeightedPenalty):
    """weight * (|grad D(x)| - 1)^2 between real and fake samples: arXiv 1704.00028, equation 3.

    It is computed in float32, whatever the precision of the training.
    """

    adds_over_heads = False  # the norm is that of all heads' gradient

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"]:
        fraction = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
        between = torch.lerp(fake.float(), real.float(), fraction)
        squared_norm = squared_gradient_norm(discriminator, between)
        norm = (squared_norm + 1e-12).sqrt()  # sqrt is not differentiable at 0
        return self.weight * (norm - 1) ** 2


class R1(WeightedPenalty):
    """weight / 2 * |grad D(x)|^2 at real samples: arXiv 1801.04406, equation 9; in float32."""

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"]:
        return self.weight / 2 * squared_gradient_norm(discriminator, real)


class R1R2(WeightedPenalty):
    """R1, and the same penalty at fake samples (R2): arXiv 1801.04406, equations 9 and 10.

    With a relativistic loss it is the regularizer of R3GAN, arXiv 2501.05441, section 2.2. It is
    computed in float32. If the training also runs in float32, logits and gradients come from one
    forward pass, which takes less time than two (python -m benchmarks.penalty).
    """

    def logits_and_penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Evaluation:
        if torch.is_autocast_enabled(real.device.type) or real.dtype != torch.float32:
            return super().logits_and_penalty(discriminator, real, fake)

        def squared_norm_and_logits(images: Float[Tensor, "_ ..."]) -> Float[Tensor, "_ _"]:
            logits, gradient = outputs_and_input_gradient(discriminator, images)
            return torch.column_stack([_squared_norm(gradient), logits])

        at_real, at_fake = apply_to_both(squared_norm_and_logits, discriminator, real, fake)
        penalty = self.weight / 2 * (at_real[:, 0] + at_fake[:, 0])
        return Evaluation(at_real[:, 1:].squeeze(1), at_fake[:, 1:].squeeze(1), penalty)

    def penalty(
        self,
        discriminator: nn.Module,
        real: Float[Tensor, "n ..."],
        fake: Float[Tensor, "n ..."],
    ) -> Float[Tensor, " n"]:
        def squared_norm(images: Float[Tensor, "_ ..."]) -> Float[Tensor, " _"]:
            return squared_gradient_norm(discriminator, images)

        at_real, at_fake = apply_to_both(squared_norm, discriminator, real, fake)
        return self.weight / 2 * (at_real + at_fake)


def squared_gradient_norm(
    discriminator: nn.Module, images: Float[Tensor, "n ..."]
) -> Float[Tensor, " n"]:
    """Return |dD(x)/dx|^2 of each image, in float32, differentiable in the weights."""
    with torch.autocast(images.device.type, enabled=False):
        gradient = input_gradient(discriminator, images.float())
    return _squared_norm(gradient)


def _squared_norm(gradient: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    return gradient.flatten(1).square().sum(1)
