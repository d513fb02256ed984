"""Adversarial losses: each player's cost per sample; higher logits always mean "more real".

The *margin* of a logit is its value in the direction that a player wants: the discriminator wants
real logits high and fake logits low, the generator wants fake logits high. `cost` maps a margin to
the cost of its player.

Logits have the shape (n,), or (n, heads) if the discriminator has several heads. Each head then
plays its own game, and the cost of an image is the sum of its heads' costs.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from anime_dcgan.system.errors import UserError


class AdversarialLoss:
    """Base class of all losses. Subclasses implement `cost` and override the rest where needed.

    Parameters:
        relativistic: for both players the margin is the difference between the logits of a real
            image and of the fake image that it is paired with: Jolicoeur-Martineau 2018, arXiv
            1807.00734. With cross-entropy it is the loss of R3GAN, arXiv 2501.05441, equation 2.
    """

    bounded: ClassVar[bool] = True
    """True if the discriminator cannot gain indefinitely from ever larger logits."""

    def __init__(self, relativistic: bool = False) -> None:
        self.relativistic = relativistic

    @property
    def separates_at_zero(self) -> bool:
        """True if 0 separates real from fake logits; otherwise only their differences matter."""
        return self.bounded and not self.relativistic

    def discriminator(
        self, real_logits: Float[Tensor, " n *heads"], fake_logits: Float[Tensor, " n *heads"]
    ) -> Float[Tensor, " n"]:
        """Return the discriminator's cost of each pair of a real and a fake image."""
        if self.relativistic:
            return sum_over_heads(self.real_cost(real_logits - fake_logits))
        return sum_over_heads(self.real_cost(real_logits) + self.cost(-fake_logits))

    def generator(
        self,
        fake_logits: Float[Tensor, " n *heads"],
        real_logits: Float[Tensor, " n *heads"] | float = 0.0,
    ) -> Float[Tensor, " n"]:
        """Return the generator's cost of each fake image; only a relativistic loss uses real."""
        margin = fake_logits - real_logits if self.relativistic else fake_logits
        return sum_over_heads(self.generator_cost(margin))

    def accuracy(
        self, real_logits: Float[Tensor, " n *heads"], fake_logits: Float[Tensor, " m *heads"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return the fractions of real and of fake images that are classified correctly, in [0, 1].

        An image is classified by its mean logit. The boundary is 0, as in the report, or, where
        signs carry no meaning, the midpoint between the means of real and fake logits.
        """
        real, fake = mean_over_heads(real_logits), mean_over_heads(fake_logits)
        boundary: Tensor | float = 0.0
        if not self.separates_at_zero:
            boundary = (real.float().mean() + fake.float().mean()) / 2
        correct = real > boundary, fake < boundary
        return correct[0].float().mean(), correct[1].float().mean()

    def cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        """Return the cost of a player at a margin; it falls as the margin grows."""
        raise NotImplementedError

    def real_cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        """Return the discriminator's cost at the margin of a real image."""
        return self.cost(margin)

    def generator_cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        """Return the generator's cost at a margin."""
        return self.cost(margin)


class BCE(AdversarialLoss):
    """Binary cross-entropy: Goodfellow et al., arXiv 1406.2661, equation 1 and section 3.

    The cost is -log sigmoid(margin). The discriminator's cost is the sum over real and fake images;
    the report, like Keras, takes the mean, which is half of it. Adam is invariant to that factor.

    Parameters:
        smoothing: real images are labelled 1 - smoothing, fake ones 0: one-sided label smoothing,
            Salimans et al. 2016, arXiv 1606.03498, section 3.4; in [0, 0.5).
        saturating: the generator minimises log(1 - sigmoid(margin)), as in equation 1, instead of
            -log sigmoid(margin); its gradient vanishes where the discriminator is confident.
    """

    def __init__(
        self, relativistic: bool = False, smoothing: float = 0.0, saturating: bool = False
    ) -> None:
        super().__init__(relativistic)
        if not 0 <= smoothing < 0.5:
            raise UserError(
                f"loss.smoothing={smoothing} is not in [0, 0.5): use loss.smoothing=0.1, or 0"
            )
        self.smoothing = smoothing
        self.saturating = saturating

    def cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        return nn.functional.softplus(-margin)

    def real_cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        return self.cost(margin) + self.smoothing * margin

    def generator_cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        return -self.cost(-margin) if self.saturating else self.cost(margin)


class Hinge(AdversarialLoss):
    """Hinge loss: Lim & Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957.

    The discriminator's cost is 0 beyond a margin of 1; the generator's cost is linear (equations 16
    and 17 of the latter). If the loss is relativistic, both costs are hinges, as in arXiv
    1807.00734 (RaHingeGAN, here with pairs instead of means): the slope of a linear cost would not
    depend on the real image.
    """

    def cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        return nn.functional.relu(1 - margin)

    def generator_cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        return self.cost(margin) if self.relativistic else -margin


class LSGAN(AdversarialLoss):
    """Least squares: Mao et al. 2016, arXiv 1611.04076, equation 2 with a = -1 and b = c = 1.

    With this coding 0 separates real from fake, as for the other losses. Margins beyond 1 are
    penalised again.
    """

    def cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        return (margin - 1).square() / 2


class WGAN(AdversarialLoss):
    """The Wasserstein critic's difference of means: arXiv 1701.07875, algorithm 1.

    The negated loss of the critic estimates the earth mover's distance up to the Lipschitz constant
    of the critic, which a regularizer or spectral normalisation must bound.
    """

    bounded = False

    def cost(self, margin: Float[Tensor, " n *heads"]) -> Float[Tensor, " n *heads"]:
        return -margin


def sum_over_heads(costs: Float[Tensor, " n *heads"]) -> Float[Tensor, " n"]:
    """Return the cost of each image: the sum of the costs of its heads."""
    return costs if costs.ndim == 1 else costs.sum(1)


def mean_over_heads(logits: Float[Tensor, " n *heads"]) -> Float[Tensor, " n"]:
    """Return the one logit of each image that stands for those of its heads."""
    return logits if logits.ndim == 1 else logits.mean(1)
