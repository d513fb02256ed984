"""Saving a checkpoint on Ctrl-C, SIGTERM, a closed terminal, and the warning of a batch system."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.system.console import leave_closed_terminal
from anime_dcgan.system.signals import IMPATIENT, caught_signals
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.gan import GAN


class Interrupted(Exception):
    """The user stopped the training; its last checkpoint is saved."""

    missing: Sequence[str] = ()
    """The files that could not be written."""


class SaveOnInterrupt(Callback):
    """Save `last.ckpt` after the current step and raise `Interrupted`.

    After any signal, Ctrl-C or SIGTERM are not caught and end the process at once. Where SIGHUP is
    ignored, as below `nohup`, it remains so.
    """

    def __init__(self) -> None:
        self._signalled = False
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                number: signal.signal(number, self._handle_signal) for number in caught_signals()
            }

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.strategy.reduce_boolean_decision(self._signalled, all=False):
            return
        for checkpointer in callbacks_of(trainer, Checkpointer):
            checkpointer.save_last(trainer, pl_module)
        raise Interrupted

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: GAN, exception: BaseException) -> None:
        self._restore()

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        leave_closed_terminal()
        self._restore(*IMPATIENT)

    def _restore(self, *numbers: int) -> None:
        """Restore the handlers of these signals, or of all."""
        for number in numbers or tuple(self._previous):
            if number in self._previous:
                signal.signal(number, self._previous.pop(number))
