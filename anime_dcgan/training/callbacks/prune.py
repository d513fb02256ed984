"""Pruning: ending an unpromising trial of a search, with everything saved."""

from collections.abc import Callable
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.callbacks.quality import Quality
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import fraction_done, max_minutes

STEPS = 20
"""Comparisons of trials with a budget in minutes."""


class Pruned(Interrupted):
    """The search pruned this trial; its last checkpoint is saved."""


class Prune(Callback):
    """Report each measurement to a search, and raise `Pruned` if it prunes the trial.

    Trials with a budget in minutes are compared at equal times: what is reported then is the latest
    distance at each `STEPS`-th part of the budget.

    Parameters:
        report: called with a step, which is the number of the measurement from 1, or of the part of
            the budget, and the distance; returns True to prune.
    """

    def __init__(self, report: Callable[[int, float], bool]) -> None:
        self.report = report
        self._reported = 0  # measurements
        self._step = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._report_measurements(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._report_measurements(trainer, pl_module)

    def _report_measurements(self, trainer: Trainer, module: GAN) -> None:
        prune = False
        for quality in callbacks_of(trainer, Quality):
            while self._reported < len(quality.rows):
                prune = self._report_next(quality, max_minutes(trainer))
        if prune and (fraction_done(trainer, module) or 0.0) < 1:
            for checkpointer in callbacks_of(trainer, Checkpointer):
                checkpointer.save_last(trainer, module)
            raise Pruned

    def _report_next(self, quality: Quality, minutes: float | None) -> bool:
        """Report a measurement, after the previous one for each step in between."""
        row = quality.rows[self._reported]
        step = int(STEPS * 60 * row["hours"] / minutes) if minutes else self._reported + 1
        if self._reported:
            previous = quality.headline(quality.rows[self._reported - 1])
            for skipped in range(self._step + 1, step):
                self.report(skipped, previous)
        self._reported, self._step = self._reported + 1, step
        return self.report(step, quality.headline(row))
