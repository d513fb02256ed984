"""What training costs as the work grows: images/s and peak memory, as a table and a plot.

    python -m benchmarks.scaling PLOT.png [seconds of each cell, default 20] [overrides ...]

Each cell is `python -m anime_dcgan.train` with `callbacks=none` on drawn faces, in which one thing
differs from batch 64, 64 px, the width of the model, one process. The first two steps are not
counted. Two processes train by DDP on gloo, each with half of the threads and half of the batch, so
that the step is the same. The memory is the peak of each process (VmHWM), decoded faces and
libraries included; Linux only.
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
    """Ends a training after so many seconds, and writes what it had done by then."""

    def __init__(self, folder: str, seconds: float) -> None:
        self.folder, self.seconds = Path(folder), seconds
        self.start, self.images = 0.0, 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.discriminator_steps == WARM_UP_STEPS:
            self.start, self.images = time.perf_counter(), pl_module.images_seen
        elapsed = time.perf_counter() - self.start
        enough = pl_module.discriminator_steps > WARM_UP_STEPS and elapsed >= self.seconds
        if not trainer.strategy.reduce_boolean_decision(enough):  # all processes
            return
        found = {
            "speed": (pl_module.images_seen - self.images) / elapsed,
            "mebibytes": memory("VmHWM"),
        }
        (self.folder / f"{trainer.global_rank}.json").write_text(json.dumps(found))
        trainer.strategy.barrier()
        os._exit(0)


@dataclass(frozen=True)
class Cell:
    """What differs, and what was found."""

    axis: str
    value: float
    speed: float
    """Images/s of all processes together."""
    mebibytes: list[float]
    """Of each process."""


def measure(axis: str, value: float, words: list[str], seconds: float, processes: int = 1) -> Cell:
    with tempfile.TemporaryDirectory() as place:
        gauge = f"+callbacks.gauge={{_target_:benchmarks.scaling.Gauge,folder:{place},"
        command = [
            *(sys.executable, "-m", "anime_dcgan.train", "data=drawn", "callbacks=none"),
            *("logger=none", f"hydra.run.dir={place}/run", f"{gauge}seconds:{seconds}}}", *words),
        ]
        run = subprocess.run(command, capture_output=True, text=True)
        found = [json.loads(path.read_text()) for path in sorted(Path(place).glob("*.json"))]
    if len(found) != processes:
        raise SystemExit(f"{' '.join(command)}\n{run.stderr}")
    cell = Cell(axis, value, found[0]["speed"], [each["mebibytes"] for each in found])
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
            words = [*common, *widths, f"data.batch_size={BATCH}"]
            cells.append(measure("width", factor, words, seconds))
        for size in (32, 64, 128):
            words = [*common, f"data.image_size={size}", f"data.batch_size={BATCH}"]
            cells.append(measure("image size", size, words, seconds))
        for processes in (1, 2):
            words = [*common, f"data.batch_size={BATCH // processes}"]
            words += ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={processes}"]
            cells.append(measure("processes", processes, words, seconds, processes))
    return cells


def plot(cells: list[Cell], path: Path, title: str) -> None:
    axes_of = list(dict.fromkeys(cell.axis for cell in cells))
    figure, axes = plt.subplots(2, len(axes_of), figsize=(12, 5), layout="constrained")
    for column, axis in enumerate(axes_of):
        mine = [cell for cell in cells if cell.axis == axis]
        values = [cell.value for cell in mine]
        above, below = axes[0][column], axes[1][column]
        above.plot(values, [cell.speed for cell in mine], "o-", color="tab:blue")
        below.plot(values, [sum(cell.mebibytes) / 1024 for cell in mine], "o-", color="tab:orange")
        for drawn in (above, below):
            drawn.set_xscale("log", base=2)
            drawn.set_xticks(values, [f"{value:g}" for value in values])
            drawn.set_ylim(bottom=0)
            drawn.grid(alpha=0.3)
        below.set_xlabel(axis)
    axes[0][0].set_ylabel("images/s")
    axes[1][0].set_ylabel("peak memory, GiB")
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def main() -> None:
    path = Path(sys.argv[1])
    numbers = [float(word) for word in sys.argv[2:] if word.replace(".", "").isdecimal()]
    overrides = [word for word in sys.argv[2:] if not word.replace(".", "").isdecimal()]
    print("| what differs | value | images/s | peak memory, MiB |\n| --- | --- | --- | --- |")
    cells = measure_all(numbers[0] if numbers else 20.0, overrides)
    plot(cells, path, " ".join(overrides) or "model=dcgan")
    print(f"\n{machine()}; {' '.join(sys.argv[2:])}")


if __name__ == "__main__":
    main()
