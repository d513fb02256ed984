"""Losses, logits, accuracy, learning rates and speed, on an axis of images seen."""

import time
from typing import Any

import torch
from lightning import Trainer
from torch import Tensor

from anime_dcgan.training.callbacks.periodic import Periodic
from anime_dcgan.training.gan import GAN


class Scalars(Periodic):
    """Logs the means of the steps since the last time. Between two times nothing is read back.

    `every_kimg` is the distance of two points of the curves, in thousands of images.
    """

    def __init__(self, every_kimg: float = 1.0) -> None:
        super().__init__(every_epochs=1, every_kimg=every_kimg)
        self._figures: dict[str, list[Tensor]] = {}
        self._since = (time.perf_counter(), 0)

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._figures.clear()
        self._since = (time.perf_counter(), pl_module.images_seen)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for name, value in outputs.items():
            self._figures.setdefault(name, []).append(value)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def act(self, trainer: Trainer, module: GAN) -> None:
        if not self._figures:
            return
        means = {name: torch.stack(values).mean() for name, values in self._figures.items()}
        self._figures.clear()
        scalars = {name: mean.item() for name, mean in means.items()}
        for player, optimizer in zip(
            ("generator", "discriminator"), trainer.optimizers, strict=True
        ):
            scalars[f"learning_rate/{player}"] = optimizer.param_groups[0]["lr"]
        now, images = time.perf_counter(), module.images_seen
        scalars["speed/images_per_second"] = (images - self._since[1]) / (now - self._since[0])
        scalars["epoch"] = trainer.current_epoch
        self._since = (now, images)
        trainer.callback_metrics.update({k: torch.tensor(v) for k, v in scalars.items()})
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=images)
