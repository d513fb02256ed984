"""A callback that lets one of several processes fail."""

from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN


class FailingProcess(Callback):
    """Raise `UserError` in the second process after its first step."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_rank == 1:
            raise UserError("its disk is full")
