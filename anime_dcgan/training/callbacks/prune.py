"""Pruning: ending an unpromising trial of a search, with everything saved."""

import math
from collections.abc import Callable
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.callbacks.quality import Quality
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import callbacks_of, total_images


class Pruned(Interrupted):
    """The search pruned this trial; its last checkpoint is saved."""


class Prune(Callback):
    """Report each measurement to a search, and raise `Pruned` if it prunes the trial.

    Parameters:
        report: called with the number of the measurement, from 1, and its distance; returns True
            to prune.
    """

    def __init__(self, report: Callable[[int, float], bool]) -> None:
        self.report = report
        self._reported = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._report_measurements(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._report_measurements(trainer, pl_module)

    def _report_measurements(self, trainer: Trainer, module: GAN) -> None:
        prune = False
        for quality in callbacks_of(trainer, Quality):
            for number, row in enumerate(quality.rows[self._reported :], self._reported + 1):
                prune = self.report(number, quality.headline(row))
                self._reported = number
        if prune and module.images_seen < (total_images(trainer) or math.inf):
            for checkpointer in callbacks_of(trainer, Checkpointer):
                checkpointer.save_last(trainer, module)
            raise Pruned
