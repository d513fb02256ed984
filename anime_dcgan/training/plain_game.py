"""The game of a training without Lightning, for copies of the players."""

import dataclasses

from lightning import Trainer
from torch import Tensor

from anime_dcgan.game.step import Game
from anime_dcgan.training.gan import GAN


def plain_game(trainer: Trainer, module: GAN) -> Game:
    """Return the game of the training with torch's own optimizers, for copies to play."""
    generator_optimizer, discriminator_optimizer = trainer.optimizers
    return dataclasses.replace(
        module.game(),
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        precision=trainer.precision_plugin.forward_context,
        backward=Tensor.backward,
        average=None,
    )
