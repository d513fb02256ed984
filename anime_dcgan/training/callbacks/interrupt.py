"""Saving a checkpoint on Ctrl-C and SIGTERM."""

import signal
import threading
from types import FrameType
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.periodic import callbacks_of
from anime_dcgan.training.gan import GAN

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """The user stopped the training; its last checkpoint is saved."""


class SaveOnInterrupt(Callback):
    """Save `last.ckpt` after the current step and raise `Interrupted`.

    A second signal is not caught and ends the process at once.
    """

    def __init__(self) -> None:
        self._signalled = False
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                number: signal.signal(number, self._handle_signal) for number in SIGNALS
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
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())
