"""Combinations of networks, loss, regularizers and augmentation that cannot work together."""

import re

from torch import nn

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.generator_regularizer import GeneratorRegularizer, Orthogonal
from anime_dcgan.game.loss import AdversarialLoss
from anime_dcgan.game.regularizer import Regularizer, WeightClip
from anime_dcgan.model.coupling import has_batch_norm
from anime_dcgan.model.layers import has_equalised_rates, has_spectral_norm
from anime_dcgan.system.errors import UserError


def check_compatibility(
    discriminator: nn.Module,
    loss: AdversarialLoss,
    regularizer: Regularizer,
    augment: Augment,
    fakes_per_real: float,
) -> None:
    """Raise `UserError` if the parts of a game contradict each other mathematically."""
    _check_gradient_per_sample(discriminator, regularizer)
    _check_bounded(discriminator, loss, regularizer)
    if isinstance(regularizer, WeightClip):
        _check_clipped(discriminator)
    if loss.relativistic and fakes_per_real != 1:
        raise UserError(
            "a relativistic loss pairs each fake image with one real image, which "
            f"gan.fakes_per_real={fakes_per_real} does not allow: use gan.fakes_per_real=1"
        )
    if augment.uses_logit_signs and not loss.separates_at_zero:
        name = "a relativistic loss" if loss.relativistic else _setting("loss", loss)
        raise UserError(
            "augment=ada measures overfitting by the signs of the logits of real images, but "
            f"{name} depends on differences of logits only: use augment=ada_fixed"
        )


def check_generator(generator: nn.Module, regularizer: GeneratorRegularizer) -> None:
    """Raise `UserError` if the generator and its regularizer contradict each other."""
    if regularizer.per_image_gradients and has_batch_norm(generator):
        raise UserError(
            f"{_setting('generator_regularizer', regularizer)} needs the gradient of each image on "
            "its own, but this generator has batch normalisation, which mixes the images: use "
            "generator_regularizer=none, or model=stylegan2"
        )
    if isinstance(regularizer, Orthogonal) and has_equalised_rates(generator):
        raise UserError(
            "generator_regularizer=orthogonal penalises the stored weights, which this generator "
            "scales when it uses them: use generator_regularizer=path_length or none"
        )


def _setting(group: str, part: object) -> str:
    """Return the override that chooses a part of the game, as configurations spell its class.

    >>> class PathLength: ...
    >>> _setting("generator_regularizer", PathLength())
    'generator_regularizer=path_length'
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(part).__name__)
    return f"{group}={words.lower()}"


def _check_clipped(discriminator: nn.Module) -> None:
    if has_spectral_norm(discriminator):
        raise UserError(
            "regularizer=weight_clip has no effect on weights that are divided by their spectral "
            "norm: use model.discriminator.spectral_norm=false or regularizer=none"
        )
    if has_equalised_rates(discriminator):
        raise UserError(
            "regularizer=weight_clip limits the stored weights, which this discriminator scales "
            "when it uses them: use regularizer=gradient_penalty, or loss=wgan_gp"
        )


def _check_gradient_per_sample(discriminator: nn.Module, regularizer: Regularizer) -> None:
    if not regularizer.adds_over_heads and getattr(discriminator, "has_heads", False):
        raise UserError(
            f"{_setting('regularizer', regularizer)} penalises the gradient of one logit, and this "
            "discriminator has a logit for each of its heads: use regularizer=r1, r1_r2 or none, "
            "or loss=hinge"
        )
    if regularizer.per_sample_gradients and has_batch_norm(discriminator):
        raise UserError(
            f"{_setting('regularizer', regularizer)} needs the gradient of each sample on its "
            "own, but this discriminator has batch normalisation, which mixes the samples: use "
            "model.discriminator.batch_norm=false (or model=dcgan, or regularizer=none)"
        )


def _check_bounded(
    discriminator: nn.Module, loss: AdversarialLoss, regularizer: Regularizer
) -> None:
    lipschitz = has_spectral_norm(discriminator) and not has_batch_norm(discriminator)
    if not (loss.bounded or regularizer.bounds or lipschitz):
        raise UserError(
            "a Wasserstein loss rewards ever larger logits, and nothing bounds this "
            "discriminator: use regularizer=weight_clip or gradient_penalty, or "
            "model.discriminator.spectral_norm=true without batch normalisation"
        )
