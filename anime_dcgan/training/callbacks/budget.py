"""Training budget in images."""

from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN


class Budget(Callback):
    """End the training once `max_kimg` thousand images were seen, including before a resume."""

    def __init__(self, max_kimg: float | None = None) -> None:
        if max_kimg is not None and max_kimg < 0:
            raise UserError(
                f"max_kimg={max_kimg} is negative: use max_kimg=300, or null for no limit"
            )
        self.max_kimg = max_kimg

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._stop_when_spent(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._stop_when_spent(trainer, pl_module)

    def _stop_when_spent(self, trainer: Trainer, module: GAN) -> None:
        if self.is_spent(module.images_seen):
            trainer.should_stop = True

    def is_spent(self, images: int) -> bool:
        """Return True if the budget is at most `images` images."""
        return self.max_kimg is not None and images >= 1000 * self.max_kimg
