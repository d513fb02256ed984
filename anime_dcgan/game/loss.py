"""What each player pays for a logit, per sample; higher logits always mean "more real".

A *margin* says how far a logit lies on the side that its player wants; `cost` is what that player
pays for it. The discriminator wants real logits high and fake ones low, the generator wants fake
ones high.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.system.errors import UserError


class AdversarialLoss:
    """Base of all losses: a subclass says `cost`, and what differs from it.

    Parameters:
        relativistic: a margin is how much more real a real image looks than the fake one that it
            is paired with, for both players: Jolicoeur-Martineau 2018, arXiv 1807.00734, and the
            loss of R3GAN with cross-entropy, arXiv 2501.05441, equation 2.
    """

    bounded: ClassVar[bool] = True
    """Whether the discriminator stops gaining somewhere, however large its logits grow."""

    def __init__(self, relativistic: bool = False) -> None:
        self.relativistic = relativistic

    @property
    def separates_at_zero(self) -> bool:
        """Whether 0 lies between real and fake logits; else only their differences count."""
        return self.bounded and not self.relativistic

    def discriminator(
        self, real_logits: Float[Tensor, " n"], fake_logits: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """The discriminator's cost of each pair of a real and a fake image."""
        if self.relativistic:
            return self.real_cost(real_logits - fake_logits)
        return self.real_cost(real_logits) + self.cost(-fake_logits)

    def generator(
        self, fake_logits: Float[Tensor, " n"], real_logits: Float[Tensor, " n"] | float = 0.0
    ) -> Float[Tensor, " n"]:
        """The generator's cost of each fake image; the real ones count in a relativistic loss."""
        margin = fake_logits - real_logits if self.relativistic else fake_logits
        return self.generator_cost(margin)

    def accuracy(
        self, real_logits: Float[Tensor, " n"], fake_logits: Float[Tensor, " m"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Shares of real and of fake images, in [0, 1], that are told for what they are.

        By the sign of the logit, which is the report's accuracy; where signs say nothing, by
        whether it lies above or below the middle between the means of both.
        """
        boundary: Tensor | float = 0.0
        if not self.separates_at_zero:
            boundary = (real_logits.float().mean() + fake_logits.float().mean()) / 2
        right = real_logits > boundary, fake_logits < boundary
        return right[0].float().mean(), right[1].float().mean()

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What a player pays at a margin; falls as the margin grows."""
        raise NotImplementedError

    def real_cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What the discriminator pays at the margin of a real image."""
        return self.cost(margin)

    def generator_cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What the generator pays at a margin."""
        return self.cost(margin)


class BCE(AdversarialLoss):
    """Binary cross-entropy: Goodfellow et al., arXiv 1406.2661, equation 1 and section 3.

    `-log sigmoid(margin)`, the mean over the two halves of the discriminator's batch as the
    report (and Keras) takes it is half of the sum here; Adam does not notice the factor.

    Parameters:
        smoothing: real images are labelled 1 - smoothing, fake ones 0: one-sided label smoothing,
            Salimans et al. 2016, arXiv 1606.03498, section 3.4; in [0, 0.5).
        saturating: the generator minimises log(1 - sigmoid(margin)), as in equation 1, instead of
            -log sigmoid(margin); its gradient vanishes where the discriminator is sure.
    """

    def __init__(
        self, relativistic: bool = False, smoothing: float = 0.0, saturating: bool = False
    ) -> None:
        super().__init__(relativistic)
        if not 0 <= smoothing < 0.5:
            raise UserError(
                f"loss.smoothing={smoothing} leaves no real images: use loss.smoothing=0.1, or 0"
            )
        self.smoothing = smoothing
        self.saturating = saturating

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return nn.functional.softplus(-margin)

    def real_cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return self.cost(margin) + self.smoothing * margin

    def generator_cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return -self.cost(-margin) if self.saturating else self.cost(margin)


class Hinge(AdversarialLoss):
    """Hinge loss: Lim & Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, 16-17.

    The discriminator pays nothing beyond a margin of 1; the generator's cost is linear.
    """

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return nn.functional.relu(1 - margin)

    def generator_cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return -margin


class LSGAN(AdversarialLoss):
    """Least squares: Mao et al. 2016, arXiv 1611.04076, equation 2 with a = -1 and b = c = 1.

    So 0 lies between real and fake, as for every loss here. Margins beyond 1 cost again.
    """

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return (margin - 1).square() / 2


class WGAN(AdversarialLoss):
    """The Wasserstein critic's difference of means: arXiv 1701.07875, algorithm 1.

    The negated discriminator's loss estimates the earth mover's distance up to the constant K
    of the critic, which a regularizer or spectral normalisation must bound.
    """

    bounded = False

    def cost(self, margin: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return -margin
