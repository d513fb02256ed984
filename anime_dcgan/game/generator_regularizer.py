"""Regularizers of the generator: penalties that are added to its cost."""

import copy

from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.system.errors import UserError


class GeneratorRegularizer(nn.Module):
    """Base class of all regularizers of the generator; by itself it does nothing.

    It is a module because it may have state, which belongs in checkpoints.
    """

    interval: int = 1
    """Number of steps from one penalty to the next."""

    def at(self, step: int) -> "GeneratorRegularizer":
        """Return the regularizer for the generator's step of this index, from 0."""
        return self

    def penalty(
        self, generator: nn.Module, latents: Float[Tensor, "n latent_dim"]
    ) -> Float[Tensor, ""] | float:
        """Return the term added to the generator's mean cost, differentiable in its weights."""
        return 0.0


class LazyPenalty(GeneratorRegularizer):
    """Base class of weighted penalties that only some of the steps compute.

    Parameters:
        weight: weight of the penalty in the generator's cost.
        interval: number of steps from one penalty to the next; each is weighted `interval` times as
            much (lazy regularization of StyleGAN2, arXiv 1912.04958, section 3.1).
    """

    def __init__(self, weight: float, interval: int = 1) -> None:
        super().__init__()
        if weight < 0:
            raise UserError(
                f"generator_regularizer.weight={weight} is negative: "
                "use generator_regularizer.weight=1, or 0"
            )
        if interval < 1:
            raise UserError(
                f"generator_regularizer.interval={interval} is not a number of steps: "
                "use generator_regularizer.interval=1 or more"
            )
        self.weight = weight
        self.interval = interval

    def at(self, step: int) -> GeneratorRegularizer:
        if self.interval == 1:
            return self
        return GeneratorRegularizer() if step % self.interval else self._weighted()

    def _weighted(self) -> "LazyPenalty":
        """Return this regularizer at `interval` times its weight; both share their state."""
        weighted = copy.copy(self)
        weighted.weight = self.interval * self.weight
        return weighted
