"""Start-up time of the commands, compared with that of the imports they need.

    python -m benchmarks.starting [rounds, default 7]

The time from the command to the first training step, with a warm cache and without a metric, is
compared with `import torch, torchvision, lightning, hydra`, and `generate` of 64 faces with
`import torch`. Each runs in its own process, and they alternate.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer

from benchmarks.measure import alternate, machine, ratio, seconds

DATA = ("data=drawn", "data.count=2000", "metric=none")
TRAIN = [sys.executable, "-m", "anime_dcgan.train", *DATA]
IMPORTS = [sys.executable, "-c", "import torch, torchvision, lightning, hydra"]
IMPORT_TORCH = [sys.executable, "-c", "import torch"]


class EndAtFirstStep(Callback):
    """End the process when the first training step would start."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        os._exit(0)


def run(command: list[str]) -> float:
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def train_to_first_step(folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        first = "+callbacks.first._target_=benchmarks.starting.EndAtFirstStep"
        return run([*TRAIN, f"data.cache_dir={folder}/cache", f"hydra.run.dir={temporary}", first])


def generate(folder: Path) -> float:
    argv = ["run=a", f"outputs={folder}", "n=64", f"out={folder}/faces.png", "overwrite=true"]
    return run([sys.executable, "-m", "anime_dcgan.generate", *argv])


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(
            [
                *TRAIN,
                f"data.cache_dir={temporary}/cache",
                f"hydra.run.dir={temporary}/a",
                "max_kimg=0.064",
            ]
        )
        sides = {
            "train": partial(train_to_first_step, folder),
            "imports": partial(run, IMPORTS),
            "generate": partial(generate, folder),
            "import torch": partial(run, IMPORT_TORCH),
        }
        durations = alternate(sides, rounds, "s")
    print(f"to the first step / imports: {ratio(durations['train'], durations['imports']):.2f}")
    print(f"64 faces / import torch: {ratio(durations['generate'], durations['import torch']):.2f}")
    print(machine())


if __name__ == "__main__":
    main()
