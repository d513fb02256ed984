"""Ctrl-C and SIGTERM end the training between two steps, with everything saved."""

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
    """The user stopped the training; all of it is saved."""


class SaveOnInterrupt(Callback):
    """Saves `last.ckpt` after the running step and raises `Interrupted`; a second signal kills."""

    def __init__(self) -> None:
        self._signalled = False
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}

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

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())
