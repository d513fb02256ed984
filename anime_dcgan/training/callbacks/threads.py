"""The number of CPU threads that training steps use.

A team of threads waits for its slowest member at each of hundreds of barriers per step. Where other
programs use the same cores, the operating system always suspends one of them, and a single thread
can be several times as fast as two (benchmarks/threads.py).
"""

import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor

from anime_dcgan.game.duality import copy_game
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.plain_game import plain_game

MIN_GAIN = 1.15  # of another number over the present one, before it replaces it
MIN_TRIAL_SECONDS = 0.3  # several time slices of the operating system
MIN_TRIAL_STEPS = 2
WINDOW_SECONDS = 5.0  # over which the speed of the training is taken
WINDOW_STEPS = 4
SLOWDOWN = 0.5  # fraction of the best speed below which the number is chosen again
HOPELESS = 3  # a first step that takes this many times the limit is not repeated
RETRY_SECONDS = 60.0  # between trials while fewer threads are used than there are
MAX_TRIAL_FRACTION = 0.03  # of the time


class Speed:
    """Steps per second of training, over windows of some seconds.

    Parameters:
        expected: the steps per second of the trial.
    """

    def __init__(self, expected: float) -> None:
        self._best = self._latest = expected
        self._seconds, self._steps, self._started = 0.0, 0, 0.0

    @property
    def has_halved(self) -> bool:
        """True if the latest steps took twice as long as the fastest ones, or as in the trial."""
        return self._latest < SLOWDOWN * self._best

    def start(self) -> None:
        """Start the clock of a step."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """Count the step."""
        self._seconds += time.perf_counter() - self._started
        self._steps += 1
        if self._seconds >= WINDOW_SECONDS and self._steps >= WINDOW_STEPS:
            self._latest = self._steps / self._seconds
            self._best = max(self._best, self._latest)
            self._seconds, self._steps = 0.0, 0


class Threads(Callback):
    """Use a number of threads for the steps on a CPU, or the fastest one.

    "auto" times steps on copies of the networks with 1, 2, 4, ... threads: before the first step,
    when the speed has halved, and every minute while some threads are unused. The last bits of the
    weights depend on the number of threads. A number that is not clearly slower than the fastest
    one is therefore kept, and so is the one in the checkpoint of a resumed run.

    Parameters:
        threads: a number of threads, or "auto".
    """

    def __init__(self, threads: int | str = "auto") -> None:
        if threads != "auto" and (not isinstance(threads, int) or threads < 1):
            raise UserError(
                f"trainer.threads={threads} must be auto or a number of threads, such as 1"
            )
        self.threads = threads
        self._max_threads = 1
        self._resumed: int | None = None  # the number in the checkpoint that was resumed
        self._speed: Speed | None = None  # since the latest trial
        self._tried_at = 0.0
        self._trial_seconds = 0.0

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        self._max_threads = torch.get_num_threads()

    def state_dict(self) -> dict[str, Any]:
        return {"threads": torch.get_num_threads()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        threads = state_dict["threads"]
        if not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads={threads!r:.40} is not a number of threads")
        self._resumed = threads

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._use_first()

    def _use_first(self) -> None:
        """Use the number that is set, or that of the checkpoint."""
        if isinstance(self.threads, int):
            torch.set_num_threads(self.threads)
        elif self._resumed is not None:
            torch.set_num_threads(min(self._resumed, self._max_threads))

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: GAN, batch: Tensor, batch_idx: int
    ) -> None:
        if self.threads != "auto" or self._max_threads == 1 or pl_module.device.type != "cpu":
            return
        speed = self._speed
        if speed is None or self._trial_is_due(speed):
            speed = self._speed = self._choose(trial_steps(trainer, pl_module, batch))
        speed.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Tensor, batch_idx: int
    ) -> None:
        if self._speed is not None:
            self._speed.stop()

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        torch.set_num_threads(self._max_threads)

    def _trial_is_due(self, speed: Speed) -> bool:
        """Return True if the best number of threads may have changed since the latest trial."""
        seconds = time.monotonic() - self._tried_at
        if seconds < self._trial_seconds / MAX_TRIAL_FRACTION:
            return False
        unused = torch.get_num_threads() < self._max_threads
        return speed.has_halved or (unused and seconds > RETRY_SECONDS)

    def _choose(self, steps: Iterator[None]) -> Speed:
        """Time steps, use the fastest number of threads, and return the speed to expect."""
        start, before = time.monotonic(), torch.get_num_threads()
        seconds = time_steps(self._max_threads, steps)
        fastest = min(seconds, key=seconds.__getitem__)
        keep = before in seconds and seconds[before] < MIN_GAIN * seconds[fastest]
        chosen = before if keep else fastest
        torch.set_num_threads(chosen)
        if self._speed is None or chosen != before:
            log(_explain(chosen, seconds))
        self._tried_at = time.monotonic()
        self._trial_seconds = self._tried_at - start
        return Speed(1 / seconds[chosen])


def trial_steps(trainer: Trainer, module: GAN, batch: Tensor) -> Iterator[None]:
    """Take steps of both players, on copies of them; the training stays as it is."""
    game = copy_game(plain_game(trainer, module))

    def draw_latents(count: int) -> Tensor:
        return torch.randn(count, module.generator.latent_dim)

    while True:
        real = to_float(batch)
        game.discriminator_step(real, draw_latents, module.discriminator_steps)
        game.generator_step(real, draw_latents)
        yield


def time_steps(max_threads: int, steps: Iterator[None]) -> dict[int, float]:
    """Return the seconds per step with 1, 2, 4, ... `max_threads`, as long as more of them help."""
    seconds: dict[int, float] = {}
    for threads in _numbers(max_threads):
        limit = MIN_GAIN * min(seconds.values(), default=math.inf)
        torch.set_num_threads(threads)
        seconds[threads] = _seconds_per_step(steps, limit)
        if seconds[threads] > limit:
            break
    return seconds


def _numbers(max_threads: int) -> Iterator[int]:
    threads = 1
    while threads < max_threads:
        yield threads
        threads *= 2
    yield max_threads


def _seconds_per_step(steps: Iterator[None], limit: float) -> float:
    """Time some steps, or only the first one if that takes much longer than the limit."""
    start = time.perf_counter()
    next(steps)  # libraries choose their kernels
    first = time.perf_counter() - start
    if first > HOPELESS * limit:
        return first
    start, count = time.perf_counter(), 0
    while count < MIN_TRIAL_STEPS or time.perf_counter() - start < MIN_TRIAL_SECONDS:
        next(steps)
        count += 1
    return (time.perf_counter() - start) / count


def _explain(threads: int, seconds: dict[int, float]) -> str:
    others = ", ".join(
        f"{1000 * value:.0f} ms with {number}"
        for number, value in seconds.items()
        if number != threads
    )
    return (
        f"threads {threads}: {1000 * seconds[threads]:.0f} ms per step, {others}; "
        "trainer.threads=N fixes the number"
    )
