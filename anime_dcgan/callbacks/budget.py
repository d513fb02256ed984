"""A budget in images."""

from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.gan import GAN


class Budget(Callback):
    """Ends the training once `max_kimg` thousand images were seen, across resumed runs too."""

    def __init__(self, max_kimg: float | None = None) -> None:
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
