"""How long the program takes to begin, beside the bare imports that it cannot do without.

    python -m benchmarks.starting [rounds, default 7]

From the command to the first training step, with a warm cache and without a metric, against
`import torch, torchvision, lightning, hydra`; and `generate` of 64 faces against `import torch`.
Each is a process of its own, and they take turns.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer

from benchmarks.measure import machine, ratio, seconds, take_turns

DATA = ("data=drawn", "data.count=2000", "metric=none")
TRAIN = [sys.executable, "-m", "anime_dcgan.train", *DATA]
IMPORTS = [sys.executable, "-c", "import torch, torchvision, lightning, hydra"]
IMPORT_TORCH = [sys.executable, "-c", "import torch"]


class EndAtFirstStep(Callback):
    """Ends the process where the first training step would begin."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        os._exit(0)


def run(command: list[str]) -> float:
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def train_to_first_step(folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        first = "+callbacks.first._target_=benchmarks.starting.EndAtFirstStep"
        return run([*TRAIN, f"data.cache_dir={folder}/cache", f"hydra.run.dir={place}", first])


def generate(folder: Path) -> float:
    words = ["run=a", f"outputs={folder}", "n=64", f"out={folder}/faces.png", "overwrite=true"]
    return run([sys.executable, "-m", "anime_dcgan.generate", *words])


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run([*TRAIN, f"data.cache_dir={place}/cache", f"hydra.run.dir={place}/a", "max_kimg=0.064"])
        sides = {
            "train": partial(train_to_first_step, folder),
            "imports": partial(run, IMPORTS),
            "generate": partial(generate, folder),
            "import torch": partial(run, IMPORT_TORCH),
        }
        figures = take_turns(sides, rounds, "s")
    print(f"to the first step / imports: {ratio(figures['train'], figures['imports']):.2f}")
    print(f"64 faces / import torch: {ratio(figures['generate'], figures['import torch']):.2f}")
    print(machine())


if __name__ == "__main__":
    main()
