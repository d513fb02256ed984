"""Progress bar of the run: images/s, losses, accuracy and the remaining time."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import ProgressBar as LightningProgressBar
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.equilibrium import Equilibrium
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now, fraction_done, total_images

GAP = "  "
SECONDS_BETWEEN_LINES = 30.0  # without a terminal, lines are printed instead of a bar
SHOWN = {
    "loss/discriminator": "D {:.3f}",
    "loss/generator": "G {:.3f}",
    "accuracy/real": "real {:.0%}",
    "accuracy/fake": "fake {:.0%}",
}


class Fitting:
    """Parts of a line, of which the first are shown as far as the width allows."""

    def __init__(self, parts: Sequence[str] = ()) -> None:
        self._parts = parts

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(0, len(GAP.join(self._parts)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        lines = (GAP.join(self._parts[:count]) for count in range(len(self._parts), -1, -1))
        yield Text(next(line for line in lines if len(line) <= options.max_width), no_wrap=True)


class MetricsColumn(ProgressColumn):
    """The metrics of a task, which give way to all other columns."""

    def render(self, task: Task) -> Fitting:
        return Fitting(task.fields["metrics"])


def make_bar(console: Console) -> Progress:
    """Return a bar of which a narrow terminal shows the epoch, the images and the times whole."""
    whole = Column(no_wrap=True)
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=min(40, console.width // 8)),
        TextColumn("{task.fields[images]} images"),
        MetricsColumn(),
        TimeElapsedColumn(whole),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True, table_column=whole),
        console=console,
        refresh_per_second=4,
        speed_estimate_period=120,
    )


class ProgressBar(LightningProgressBar):
    """Show the progress towards the end of the training, in images and time."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._lines = False
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._total: int | None = None
        self._start = (0.0, 0.0)  # time, and fraction of the training that was done
        self._line_at = 0.0

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        if not self._enabled or not trainer.is_global_zero:
            return
        self._total = total_images(trainer)
        done = fraction_done(trainer, pl_module)
        self._start = (time.monotonic(), done or 0.0)
        self._line_at = time.monotonic()
        self._lines = not sys.stderr.isatty()
        if not self._lines:
            self._progress = make_bar(Console(stderr=True))
            total = None if done is None else 1.0
            self._task = self._progress.add_task("", total=total, images="", metrics=())
            self._progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._progress is not None:
            self._progress.update(
                self._task,
                completed=fraction_done(trainer, pl_module) or 0.0,
                description=_epoch(trainer),
                images=self._count(pl_module),
                metrics=_metrics(trainer),
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
        parts = [_epoch(trainer), f"{self._count(module)} images", *_metrics(trainer)]
        done = fraction_done(trainer, module)
        if done is not None and done > self._start[1]:
            seconds, before = self._line_at - self._start[0], self._start[1]
            remaining = (1 - done) * seconds / (done - before)
            parts.append(f"{_format_duration(remaining)} left")
        print(GAP.join(parts), file=sys.stderr, flush=True)

    def _count(self, module: GAN) -> str:
        return f"{module.images_seen:,}" + (f"/{self._total:,}" if self._total else "")


def _epoch(trainer: Trainer) -> str:
    total = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
    return f"epoch {math.ceil(epoch_now(trainer))}{total}"


def _metrics(trainer: Trainer) -> list[str]:
    """Return the latest metrics, the most interesting first; nothing before the first step."""
    metrics = trainer.callback_metrics
    if "speed/images_per_second" not in metrics:
        return []
    parts = [f"{metrics['speed/images_per_second']:,.0f} images/s"]
    losses = [text.format(metrics[name].item()) for name, text in SHOWN.items() if name in metrics]
    return [*parts, *_verdict(trainer), *losses]


def _verdict(trainer: Trainer) -> list[str]:
    """Return the latest distance and verdict, or nothing before the first measurement."""
    return [callback.summary for callback in callbacks_of(trainer, Equilibrium) if callback.history]


def _format_duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
