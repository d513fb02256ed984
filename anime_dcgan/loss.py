"""What each player pays for a logit, per sample; higher logits always mean "more real".

A *margin* says how far a logit lies on the side that its player wants; `cost` is what that player
pays for it. The discriminator wants real logits high and fake ones low, the generator wants fake
ones high.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class AdversarialLoss:
    """Base of all losses: a subclass says `cost`, and `generator_cost` where it differs."""

    def discriminator(
        self, real_logits: Float[Tensor, " n"], fake_logits: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """The discriminator's cost of each pair of a real and a fake image."""
        return self.cost(real_logits) + self.cost(-fake_logits)

    def generator(self, fake_logits: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The generator's cost of each fake image."""
        return self.generator_cost(fake_logits)

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What a player pays at a margin; falls as the margin grows."""
        raise NotImplementedError

    def generator_cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What the generator pays at a margin."""
        return self.cost(margin)


class BCE(AdversarialLoss):
    """Binary cross-entropy, the generator's non-saturating: Goodfellow et al., arXiv 1406.2661.

    `-log sigmoid(margin)`, the mean over the two halves of the discriminator's batch as the
    report (and Keras) takes it is half of the sum here; Adam does not notice the factor.
    """

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return nn.functional.softplus(-margin)


class WGAN(AdversarialLoss):
    """The Wasserstein critic's difference of means: arXiv 1701.07875, algorithm 1.

    The negated discriminator's loss estimates the earth mover's distance up to the constant K
    of the critic, which a regularizer must bound.
    """

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return -margin


def accuracy(logits: Float[Tensor, " n"], real: bool) -> Float[Tensor, ""]:
    """Share of logits, in [0, 1], on the right side of zero: the report's accuracy."""
    return ((logits > 0) if real else (logits < 0)).float().mean(dtype=torch.float32)
