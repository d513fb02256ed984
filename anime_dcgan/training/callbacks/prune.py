"""A training that promises less than others did is ended, with everything saved."""

import math
from collections.abc import Callable
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.training.callbacks.budget import images_in_all
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.callbacks.periodic import callbacks_of
from anime_dcgan.training.callbacks.quality import Quality
from anime_dcgan.training.gan import GAN


class Pruned(Interrupted):
    """A search ended the training; all of it is saved."""


class Prune(Callback):
    """Tells a search of each measurement, and raises `Pruned` where it is to end the training.

    Parameters:
        report: takes the number of the measurement, from 1, and its distance; true ends.
    """

    def __init__(self, report: Callable[[int, float], bool]) -> None:
        self.report = report
        self._told = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, module: GAN) -> None:
        bad = False
        for quality in callbacks_of(trainer, Quality):
            for number, row in enumerate(quality.rows[self._told :], self._told + 1):
                bad = self.report(number, quality.headline(row))
                self._told = number
        if bad and module.images_seen < (images_in_all(trainer) or math.inf):
            for checkpointer in callbacks_of(trainer, Checkpointer):
                checkpointer.save_last(trainer, module)
            raise Pruned
