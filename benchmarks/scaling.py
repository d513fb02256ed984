"""Scaling of training: images/s and peak memory, as a table and a plot.

    python -m benchmarks.scaling PLOT.png [seconds per cell, default 20] [overrides ...]

Each cell is a `python -m anime_dcgan.train` with `callbacks=none` on synthetic faces, in which one
setting differs from the defaults: batch 64, 64 px, the model's width and one process. The first two
steps are excluded. Two processes train with DDP on gloo, each with half of the threads and half of
the batch, so that the step is the same. Memory is the peak of each process (VmHWM), including
decoded faces and libraries; Linux only.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from lightning import Callback, Trainer

from anime_dcgan.training.gan import GAN
from benchmarks.measure import machine, memory
from benchmarks.training import compose_config

WARM_UP_STEPS = 2
BATCH = 64


class Gauge(Callback):
    """End a training after `seconds`, and write its speed and peak memory to a file."""

    def __init__(self, folder: str, seconds: float) -> None:
        self.folder, self.seconds = Path(folder), seconds
        self.start, self.images = 0.0, 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.discriminator_steps == WARM_UP_STEPS:
            self.start, self.images = time.perf_counter(), pl_module.images_seen
        elapsed = time.perf_counter() - self.start
        finished = pl_module.discriminator_steps > WARM_UP_STEPS and elapsed >= self.seconds
        if not trainer.strategy.reduce_boolean_decision(finished):  # all processes
            return
        result = {
            "speed": (pl_module.images_seen - self.images) / elapsed,
            "mebibytes": memory("VmHWM"),
        }
        (self.folder / f"{trainer.global_rank}.json").write_text(json.dumps(result))
        trainer.strategy.barrier()
        os._exit(0)


@dataclass(frozen=True)
class Cell:
    """A setting and its measured speed and memory."""

    axis: str
    value: float
    speed: float
    """Images/s over all processes."""
    mebibytes: list[float]
    """Peak memory of each process, MiB."""


def measure(axis: str, value: float, argv: list[str], seconds: float, processes: int = 1) -> Cell:
    with tempfile.TemporaryDirectory() as temporary:
        gauge = f"+callbacks.gauge={{_target_:benchmarks.scaling.Gauge,folder:{temporary},"
        command = [
            *(sys.executable, "-m", "anime_dcgan.train", "data=drawn", "callbacks=none"),
            *(
                "logger=none",
                f"hydra.run.dir={temporary}/run",
                f"{gauge}seconds:{seconds}}}",
                *argv,
            ),
        ]
        run = subprocess.run(command, capture_output=True, text=True)
        results = [json.loads(path.read_text()) for path in sorted(Path(temporary).glob("*.json"))]
    if len(results) != processes:
        raise SystemExit(f"{' '.join(command)}\n{run.stderr}")
    cell = Cell(axis, value, results[0]["speed"], [result["mebibytes"] for result in results])
    memory = " + ".join(f"{size:,.0f}" for size in cell.mebibytes)
    print(f"| {axis} | {value:g} | {cell.speed:.1f} | {memory} |", flush=True)
    return cell


def measure_all(seconds: float, overrides: list[str]) -> list[Cell]:
    model = compose_config(overrides).model
    with tempfile.TemporaryDirectory() as cache:
        common = ["data.count=3000", f"data.cache_dir={cache}", *overrides]
        cells = [
            measure("batch", size, [*common, f"data.batch_size={size}"], seconds)
            for size in (16, 32, 64, 128, 256, 512)
        ]
        for factor in (0.5, 1, 2, 4):
            widths = [
                f"model.{player}.width={round(factor * model[player].width)}"
                for player in ("generator", "discriminator")
            ]
            argv = [*common, *widths, f"data.batch_size={BATCH}"]
            cells.append(measure("width", factor, argv, seconds))
        for size in (32, 64, 128):
            argv = [*common, f"data.image_size={size}", f"data.batch_size={BATCH}"]
            cells.append(measure("image size", size, argv, seconds))
        for processes in (1, 2):
            argv = [*common, f"data.batch_size={BATCH // processes}"]
            argv += ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={processes}"]
            cells.append(measure("processes", processes, argv, seconds, processes))
    return cells


def plot(cells: list[Cell], path: Path, title: str) -> None:
    names = list(dict.fromkeys(cell.axis for cell in cells))
    figure, axes = plt.subplots(2, len(names), figsize=(12, 5), layout="constrained")
    for column, axis in enumerate(names):
        selected = [cell for cell in cells if cell.axis == axis]
        values = [cell.value for cell in selected]
        above, below = axes[0][column], axes[1][column]
        above.plot(values, [cell.speed for cell in selected], "o-", color="tab:blue")
        below.plot(
            values, [sum(cell.mebibytes) / 1024 for cell in selected], "o-", color="tab:orange"
        )
        for plot_axes in (above, below):
            plot_axes.set_xscale("log", base=2)
            plot_axes.set_xticks(values, [f"{value:g}" for value in values])
            plot_axes.set_ylim(bottom=0)
            plot_axes.grid(alpha=0.3)
        below.set_xlabel(axis)
    axes[0][0].set_ylabel("images/s")
    axes[1][0].set_ylabel("peak memory, GiB")
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def main() -> None:
    path = Path(sys.argv[1])
    numbers = [float(text) for text in sys.argv[2:] if text.replace(".", "").isdecimal()]
    overrides = [text for text in sys.argv[2:] if not text.replace(".", "").isdecimal()]
    print("| setting | value | images/s | peak memory, MiB |\n| --- | --- | --- | --- |")
    cells = measure_all(numbers[0] if numbers else 20.0, overrides)
    plot(cells, path, " ".join(overrides) or "model=dcgan")
    print(f"\n{machine()}; {' '.join(sys.argv[2:])}")


if __name__ == "__main__":
    main()
