"""A budget in images."""

from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks.periodic import callbacks_of
from anime_dcgan.training.gan import GAN


class Budget(Callback):
    """Ends the training once `max_kimg` thousand images were seen, across resumed runs too."""

    def __init__(self, max_kimg: float | None = None) -> None:
        if max_kimg is not None and max_kimg < 0:
            raise UserError(f"max_kimg={max_kimg} is negative: use max_kimg=300, or null")
        self.max_kimg = max_kimg

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._look(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, module: GAN) -> None:
        if self.max_kimg is not None and module.images_seen >= 1000 * self.max_kimg:
            trainer.should_stop = True


def images_in_epoch(trainer: Trainer) -> int:
    """Real images that the discriminator sees in an epoch, all processes together."""
    assert isinstance(trainer.train_dataloader, FaceBatches)
    batch_images = trainer.train_dataloader.batch_size * trainer.world_size
    return int(trainer.num_training_batches) * batch_images


def images_in_all(trainer: Trainer) -> int | None:
    """Images at which the training will end, by epochs or by `Budget`; None if it never does."""
    ends = [
        round(1000 * budget.max_kimg)
        for budget in callbacks_of(trainer, Budget)
        if budget.max_kimg is not None
    ]
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        ends.append(trainer.max_epochs * images_in_epoch(trainer))
    return min(ends, default=None)
