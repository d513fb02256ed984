"""Losses, logits, accuracy, learning rates and speed, on an axis of images seen."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from torch import Tensor

from anime_dcgan.run.scalars import append_scalars, remove_scalars_beyond
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.periodic import Periodic
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.logger import folder_of
from anime_dcgan.training.outputs import Outputs, outputs_of


class Scalars(Periodic):
    """Log the means of the steps since the last point, and keep the run's `scalars.jsonl`.

    Nothing is read back from the device between two points. Other callbacks log through
    `log_scalars`, so that the file has all scalars, whichever `logger` is chosen.

    Parameters:
        file: JSON lines of everything that is logged (see `anime_dcgan.run.scalars`).
        every_kimg: distance between two points of the curves, in thousands of images.
    """

    def __init__(self, file: str, every_kimg: float = 1.0) -> None:
        super().__init__(every_epochs=1, every_kimg=every_kimg)
        self.file = Path(file)
        self._values: dict[str, list[Tensor]] = {}
        self._resumed: dict[str, Tensor] = {}  # the values in the checkpoint that was resumed
        self._latest: dict[str, float] = {}
        self._last_point = (time.perf_counter(), 0)  # seconds, images

    def state_dict(self) -> dict[str, Any]:
        """Return the values since the last point, so that a resumed run logs the same means."""
        values = {name: torch.stack(values).cpu() for name, values in self._values.items()}
        return {"values": values, "latest": self._latest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        values, latest = state_dict["values"], state_dict["latest"]
        if not all(isinstance(name, str) for name in (*values, *latest)) or not (
            all(
                value.ndim == 1 and len(value) and value.is_floating_point()
                for value in values.values()
            )
            and all(isinstance(value, int | float) for value in latest.values())
        ):
            raise ValueError("the scalars are not numbers")
        self._resumed, self._latest = values, latest

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        images = pl_module.images_seen
        self._values = {
            name: list(values.to(pl_module.device)) for name, values in self._resumed.items()
        }
        self._last_point = (time.perf_counter(), images)
        _show(trainer, self._latest)
        if trainer.is_global_zero:
            outputs_of(trainer).attempt(self.file, lambda: remove_scalars_beyond(self.file, images))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for name, value in outputs.items():
            self._values.setdefault(name, []).append(value)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def act(self, trainer: Trainer, module: GAN) -> None:
        if not self._values:
            return
        means = {name: torch.stack(values).mean() for name, values in self._values.items()}
        self._values.clear()
        scalars = {name: mean.item() for name, mean in means.items()}
        for player, optimizer in zip(
            ("generator", "discriminator"), trainer.optimizers, strict=True
        ):
            scalars[f"learning_rate/{player}"] = optimizer.param_groups[0]["lr"]
        scalars |= {f"ramp/{name}": value for name, value in module.ramped.items()}
        now, images = time.perf_counter(), module.images_seen
        seconds_before, images_before = self._last_point
        scalars["speed/images_per_second"] = (images - images_before) / (now - seconds_before)
        scalars["epoch"] = trainer.current_epoch
        self._last_point = (now, images)
        self._latest = scalars
        _show(trainer, scalars)
        log_scalars(trainer, scalars, images)

    def append(self, images: int, scalars: Mapping[str, float], outputs: Outputs) -> None:
        """Append a point to the file."""
        outputs.attempt(self.file, lambda: append_scalars(self.file, images, scalars))


def _show(trainer: Trainer, scalars: Mapping[str, float]) -> None:
    """Give the latest scalars to the callbacks that show or store them."""
    trainer.callback_metrics.update({k: torch.tensor(v) for k, v in scalars.items()})


def log_scalars(trainer: Trainer, scalars: Mapping[str, float], images: int) -> None:
    """Log `scalars` at `images` seen, to every logger and to `scalars.jsonl`."""
    for logger in trainer.loggers:
        write = partial(logger.log_metrics, dict(scalars), step=images)
        outputs_of(trainer).attempt(folder_of(logger), write)
    if trainer.is_global_zero:
        for callback in callbacks_of(trainer, Scalars):
            callback.append(images, scalars, outputs_of(trainer))
