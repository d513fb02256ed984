"""Progress bar of the run: images/s, losses, accuracy and the remaining time."""

import math
import sys
import time
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import ProgressBar as LightningProgressBar
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from anime_dcgan.training.callbacks.equilibrium import Equilibrium
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import callbacks_of, epoch_now, total_images

SECONDS_BETWEEN_LINES = 30.0  # without a terminal, lines are printed instead of a bar
SHOWN = {
    "loss/discriminator": "D {:.3f}",
    "loss/generator": "G {:.3f}",
    "accuracy/real": "real {:.0%}",
    "accuracy/fake": "fake {:.0%}",
}


class ProgressBar(LightningProgressBar):
    """Show the progress towards the end of the training, in images."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._lines = False
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._total: int | None = None
        self._start = (0.0, 0)
        self._line_at = 0.0

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        if not self._enabled or not trainer.is_global_zero:
            return
        self._total = total_images(trainer)
        self._start = (time.monotonic(), pl_module.images_seen)
        self._line_at = time.monotonic()
        self._lines = not sys.stderr.isatty()
        if not self._lines:
            self._progress = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[images]} images"),
                TextColumn("{task.fields[metrics]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=Console(stderr=True),
                refresh_per_second=4,
                speed_estimate_period=120,
            )
            self._task = self._progress.add_task("", total=self._total, images="", metrics="")
            self._progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._progress is not None:
            self._progress.update(
                self._task,
                completed=pl_module.images_seen,
                description=_epoch(trainer),
                images=self._count(pl_module),
                metrics=_format_metrics(trainer),
            )
        elif self._lines and time.monotonic() - self._line_at >= SECONDS_BETWEEN_LINES:
            self._print_line(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._stop()
        if self._lines:
            self._print_line(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: GAN, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _print_line(self, trainer: Trainer, module: GAN) -> None:
        self._line_at = time.monotonic()
        seconds, images = self._line_at - self._start[0], module.images_seen - self._start[1]
        parts = [_epoch(trainer), f"{self._count(module)} images", _format_metrics(trainer)]
        if self._total is not None and images > 0:
            remaining = max(0, self._total - module.images_seen) * seconds / images
            parts.append(f"{_format_duration(remaining)} left")
        print("  ".join(part for part in parts if part), file=sys.stderr, flush=True)

    def _count(self, module: GAN) -> str:
        return f"{module.images_seen:,}" + (f"/{self._total:,}" if self._total else "")


def _epoch(trainer: Trainer) -> str:
    total = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
    return f"epoch {math.ceil(epoch_now(trainer))}{total}"


def _format_metrics(trainer: Trainer) -> str:
    metrics = trainer.callback_metrics
    if "speed/images_per_second" not in metrics:
        return ""
    parts = [f"{metrics['speed/images_per_second']:,.0f} images/s"]
    parts += [text.format(metrics[name].item()) for name, text in SHOWN.items() if name in metrics]
    return "  ".join([*parts, *_verdict(trainer)])


def _verdict(trainer: Trainer) -> list[str]:
    """Return the latest distance and verdict, or nothing before the first measurement."""
    return [callback.summary for callback in callbacks_of(trainer, Equilibrium) if callback.history]


def _format_duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
