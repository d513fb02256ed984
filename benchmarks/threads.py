"""Speed of `train` with one thread, with all, and with `trainer.threads=auto`, beside other work.

    python -m benchmarks.threads [seconds=30] [rounds=1] [OVERRIDE ...]

Each side trains for `seconds` in a process of its own, and its images/s include the first step and
the trials of threads. The other work is none, a process that computes on one core, or a second
training with the same setting. Other arguments are overrides of `train`.
"""

import contextlib
import io
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer

from anime_dcgan.training.fit import Unfinished, fit
from anime_dcgan.training.gan import GAN
from benchmarks.measure import (
    alternate,
    compose_train,
    in_new_process,
    machine,
    parse_options,
    ratio,
)

RECIPE = ["experiment=quickstart", "data.source.count=2000", "callbacks=none", "logger=none"]


class Stopwatch(Callback):
    """Stop the training after some seconds, and keep its images/s."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.start, self.speed = seconds, 0.0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        elapsed = time.perf_counter() - self.start
        self.speed = pl_module.images_seen / elapsed
        trainer.should_stop = elapsed > self.seconds


def train(overrides: list[str], seconds: float, cache: str) -> float:
    """Return the images/s of a training of some seconds."""
    watch = Stopwatch(seconds)
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
        argv = [*RECIPE, f"run_dir={folder}", f"data.cache_dir={cache}", "trainer.max_epochs=-1"]
        with contextlib.suppress(Unfinished):
            fit(compose_train([*argv, *overrides]), Path(folder), callbacks=[watch])
    return watch.speed


def compute() -> None:
    """Keep one core busy."""
    while True:
        sum(range(10**6))


@contextmanager
def running(work: Callable[[], object] | None) -> Iterator[None]:
    """Run a function in another process meanwhile."""
    if work is None:
        yield
        return
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    try:
        time.sleep(10)  # until it has imported torch, and trains
        yield
    finally:
        process.kill()
        process.join()


def beside(work: Callable[[], object] | None, overrides: list[str], *args: Any) -> float:
    """Return the images/s of a training beside other work."""
    with running(work):
        return in_new_process(train, overrides, *args)


def main() -> None:
    own, overrides = parse_options({"seconds": "30", "rounds": "1"}, sys.argv[1:])
    seconds = float(own["seconds"])
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as cache:
        in_new_process(train, overrides, 1.0, cache)  # decodes the faces
        for name in ("nothing", "a busy process", "a second training"):
            sides = {}
            for threads in ("1", str(torch.get_num_threads()), "auto"):
                mine = [*overrides, f"trainer.threads={threads}"]
                other = {
                    "a busy process": compute,
                    "a second training": partial(train, mine, 1e9, cache),
                }
                sides[threads] = partial(beside, other.get(name), mine, seconds, cache)
            print(f"beside {name}")
            results = alternate(sides, int(own["rounds"]), "images/s")
            *fixed, auto = results.values()
            best = [max(speeds) for speeds in zip(*fixed, strict=True)]
            print(f"auto over the better of the others: {ratio(auto, best):.2f}", flush=True)


if __name__ == "__main__":
    main()
