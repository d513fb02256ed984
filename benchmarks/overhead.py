"""Time of a training around its steps, by a bare loop of the same networks within the training.

    python -m benchmarks.overhead experiment=stylegan2
    python -m benchmarks.overhead experiment=best_small steps=16 rounds=5

    steps=16       steps of each side per round: a multiple of the intervals of the penalties
    rounds=3       rounds that count; one more comes first, in which kernels are chosen

All other arguments are overrides of `train`, which runs with all its default callbacks except the
measurement of quality. After every `steps` steps of the training, a bare loop takes as many steps
with networks of its own: the same loss, penalties, augmentation, optimizers, precision and batches,
without Lightning, callbacks and moving average. Both sides alternate within one process, and their
CPU time is counted next to the time on the clock, so that other work on the machine disturbs them
alike. The share of the machine's matrix product is that of one thread in CPU time: use
trainer.threads=1.
"""

import io
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning import Callback, Trainer
from omegaconf import DictConfig

from anime_dcgan.sampling.image import to_float
from anime_dcgan.system import precision
from anime_dcgan.training.fit import fit
from anime_dcgan.training.gan import GAN
from benchmarks.measure import machine, parse_options, ratio
from benchmarks.training import bare_step, compose_config, endless, parts, print_utilisation

OPTIONS = {"steps": "16", "rounds": "3"}


class Times(NamedTuple):
    """Seconds on the clock and of the CPU."""

    clock: float
    cpu: float

    @classmethod
    def now(cls) -> "Times":
        return cls(time.perf_counter(), time.process_time())

    def since(self, start: "Times") -> "Times":
        return Times(self.clock - start.clock, self.cpu - start.cpu)


class Alternate(Callback):
    """Take as many bare steps after every `steps` steps of the training, and time both."""

    def __init__(self, config: DictConfig, steps: int, rounds: int) -> None:
        self.steps, self.rounds = steps, rounds
        self.training: list[Times] = []
        self.bare: list[Times] = []
        self._loop = bare_loop(config)
        self._start = Times.now()

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._start = Times.now()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: GAN, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.discriminator_steps == 0 or pl_module.discriminator_steps % self.steps:
            return
        self.training.append(Times.now().since(self._start))
        start = Times.now()
        for _ in range(self.steps):
            next(self._loop)
        self.bare.append(Times.now().since(start))
        trainer.should_stop = len(self.bare) > self.rounds
        self._start = Times.now()


def bare_loop(config: DictConfig) -> Iterator[None]:
    """Take a step of a bare loop whenever the next value is requested."""
    module, optimizers, batches = parts(config)
    module.follow_schedules(optimizers)
    fast = precision.choose(config.trainer.accelerator)[0] == precision.FAST
    for step, batch in enumerate(endless(batches)):
        with torch.random.fork_rng():
            bare_step(module, optimizers, to_float(batch.to(module.device)), step, fast)
        yield


def main() -> None:
    options, overrides = parse_options(OPTIONS, sys.argv[1:])
    steps, rounds = int(options["steps"]), int(options["rounds"])
    with tempfile.TemporaryDirectory() as temporary:
        fixed = ["metric=none", "trainer.max_epochs=-1", f"run_dir={temporary}/run"]
        config = compose_config([*overrides, *fixed])
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            alternate = Alternate(config, steps, rounds)
            try:
                fit(config, Path(temporary) / "run", callbacks=[alternate])
            except Exception as end:  # it ends before its budget
                if len(alternate.bare) <= rounds:
                    raise end
    seconds = report(alternate, steps)
    speeds = [config.data.batch_size / each for each in seconds]
    print_utilisation(config, speeds, clock=time.process_time)
    print(f"{machine()}; {' '.join(sys.argv[1:])}")


def report(alternate: Alternate, steps: int) -> list[float]:
    """Print the time per step of both sides after the first round, and their ratio.

    Return the seconds of the CPU per step of the training, one for each round.
    """
    training, bare = alternate.training[1:], alternate.bare[1:]
    for unit in Times._fields:
        sides = [[getattr(each, unit) for each in side] for side in (training, bare)]
        ours, theirs = (1000 * statistics.median(side) / steps for side in sides)
        print(f"{unit:5}  train {ours:7.1f} ms  bare {theirs:7.1f} ms  ratio {ratio(*sides):.2f}")
    return [each.cpu / steps for each in training]


if __name__ == "__main__":
    main()
