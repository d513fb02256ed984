"""The number of CPU threads that training steps use.

A team of threads waits for its slowest member at each of hundreds of barriers per step. Where other
programs use the same cores, the operating system always suspends one of them, and a single thread
can be several times as fast as two (benchmarks/threads.py).
"""

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor, nn

from anime_dcgan.data.batches import LabelledFaces
from anime_dcgan.game.duality import copy_game
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN

MIN_GAIN = 1.15  # of another number over the present one, before it replaces it
MIN_FIRST_GAIN = 1.05  # of more threads over fewer ones, when a training starts
MIN_TRIAL_SECONDS = 0.5  # many time slices of the operating system
MIN_TRIAL_STEPS = 2
WINDOW_SECONDS = 2.0  # over which the speed of the training is taken
WINDOW_STEPS = 2
SLOWDOWN = 0.5  # fraction of the best speed below which the number is chosen again
HOPELESS = 3  # a first step that takes this many times the limit is not repeated
RETRY_SECONDS = 60.0  # between trials while fewer threads are used than there are
MAX_TRIAL_FRACTION = 0.03  # of the time

RULES = ("loss", "regularizer", "augment")
"""Parts of a game that may have state, and that `copy_game` shares."""


class Speed:
    """Steps per second of training, over windows of some seconds.

    Parameters:
        expected: the steps per second of the trial.
    """

    def __init__(self, expected: float) -> None:
        self._best = self.latest = expected
        self._seconds, self._steps, self._started = 0.0, 0, 0.0

    @property
    def has_halved(self) -> bool:
        """True if the latest steps took twice as long as the fastest ones, or as in the trial."""
        return self.latest < SLOWDOWN * self._best

    def start(self) -> None:
        """Start the clock of a step."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """Count the step."""
        self._seconds += time.perf_counter() - self._started
        self._steps += 1
        if self._seconds >= WINDOW_SECONDS and self._steps >= WINDOW_STEPS:
            self.latest = self._steps / self._seconds
            self._best = max(self._best, self.latest)
            self._seconds, self._steps = 0.0, 0


class Threads(Callback):
    """Use a number of threads for the steps on a CPU, or the fastest one.

    "auto" times steps on copies of the networks with 1, 2, 4, ... threads: before the first step,
    when the speed has halved, and every minute while some threads are unused. Between these trials,
    a team that is slower than fewer threads were in the latest one is replaced by them. The last
    bits of the weights depend on the number of threads. During a training, a number that is not
    clearly slower than the fastest one is therefore kept, as is that of a resumed run.

    Parameters:
        threads: a number of threads, or "auto".
    """

    def __init__(self, threads: int | str = "auto") -> None:
        if threads != "auto" and (not isinstance(threads, int) or threads < 1):
            raise UserError(
                f"trainer.threads={threads} must be auto or a number of threads, such as 1"
            )
        self.threads = threads
        self._max_threads = torch.get_num_threads()
        self._resumed: int | None = None  # the number in the checkpoint that was resumed
        self._trial: dict[int, float] = {}  # seconds per step in the latest trial
        self._speed: Speed | None = None  # since the latest trial
        self._tried_at = 0.0
        self._trial_seconds = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"threads": torch.get_num_threads()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        threads = state_dict["threads"]
        if not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads={threads!r:.40} is not a number of threads")
        self._resumed = threads

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._use_first()
        if trainer.world_size > 1:
            self._speed = None  # of a trial before the other processes started

    def _use_first(self) -> None:
        """Use the number that is set, or that of the checkpoint."""
        if isinstance(self.threads, int):
            torch.set_num_threads(self.threads)
        elif self._resumed is not None:
            torch.set_num_threads(min(self._resumed, self._max_threads))

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: GAN, batch: Any, batch_idx: int
    ) -> None:
        if self.threads != "auto" or self._max_threads == 1 or pl_module.device.type != "cpu":
            return
        if self._speed is None or self._trial_is_due(self._speed):
            images = batch.images if isinstance(batch, LabelledFaces) else batch
            self.choose(trial_steps(trainer, pl_module, to_float(images)))
        assert self._speed is not None
        self._speed.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._speed is not None:
            self._speed.stop()
            self._use_fewer_if_faster(self._speed.latest)

    def _use_fewer_if_faster(self, latest: float) -> None:
        """Use fewer threads if they took more steps per second in the trial than all take now."""
        threads = torch.get_num_threads()
        fewer = {number: took for number, took in self._trial.items() if number < threads}
        best = min(fewer, key=fewer.__getitem__, default=threads)
        if best != threads and MIN_GAIN * fewer[best] < 1 / latest:
            torch.set_num_threads(best)
            log(_explain(best, {**fewer, threads: 1 / latest}))
            self._speed = Speed(1 / fewer[best])

    def _trial_is_due(self, speed: Speed) -> bool:
        """Return True if the best number of threads may have changed since the latest trial."""
        seconds = time.monotonic() - self._tried_at
        if seconds < self._trial_seconds / MAX_TRIAL_FRACTION:
            return False
        unused = torch.get_num_threads() < self._max_threads
        return speed.has_halved or (unused and seconds > RETRY_SECONDS)

    def choose(self, steps: Iterator[float]) -> float:
        """Use the fastest number of threads, or the one that is set; return its seconds per step.

        Parameters:
            steps: see `trial_steps`.
        """
        start, before = time.monotonic(), torch.get_num_threads()
        is_auto = self.threads == "auto"
        numbers = _numbers(self._max_threads) if is_auto else [int(self.threads)]
        seconds = self._trial = time_steps(numbers, steps)
        is_first = self._speed is None and self._resumed is None
        chosen = _fastest(seconds, None if is_first else before)
        torch.set_num_threads(chosen)
        if len(seconds) > 1 and (self._speed is None or chosen != before):
            log(_explain(chosen, seconds))
        self._speed = Speed(1 / seconds[chosen])
        self._tried_at = time.monotonic()
        self._trial_seconds = self._tried_at - start
        return seconds[chosen]


@contextmanager
def restored_threads() -> Iterator[None]:
    """Restore the number of threads afterwards."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def trial_steps(trainer: Trainer, module: GAN, real: Tensor) -> Iterator[float]:
    """Take steps of copies of both players, and yield the seconds of an average training step.

    The training stays as it is. In an average step, penalties and the generator step are due as
    often as in the training.

    Parameters:
        real: images of the final size.
    """
    device, real = real.device, module.at_present_size(real)
    game = copy_game(module.plain_game(trainer))
    game = dataclasses.replace(game, **{name: copy.deepcopy(getattr(game, name)) for name in RULES})
    for part in vars(game).values():
        if isinstance(part, nn.Module):
            part.to(device)

    def draw_latents(count: int) -> Tensor:
        return torch.randn(count, module.generator.latent_dim, device=device)

    def seconds(take_step: Callable[[int], object], interval: int) -> float:
        start = _now(device)
        take_step(0)  # with a penalty
        with_penalty = _now(device) - start
        if interval == 1:
            return with_penalty
        take_step(1)
        return (with_penalty + (interval - 1) * (_now(device) - start - with_penalty)) / interval

    def discriminator_step(step: int) -> None:
        game.discriminator_step(real, draw_latents, step)

    def generator_step(step: int) -> None:
        game.generator_step(real, draw_latents, step)

    while True:
        discriminator = seconds(discriminator_step, game.regularizer.interval)
        generator = seconds(generator_step, game.generator_regularizer.interval)
        yield discriminator + generator / module.critic_steps


def _now(device: torch.device) -> float:
    """Return the time at which the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def time_steps(numbers: Iterable[int], steps: Iterator[float]) -> dict[int, float]:
    """Return the seconds per step with each number of threads, as long as more of them help."""
    seconds: dict[int, float] = {}
    for threads in numbers:
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


def _seconds_per_step(steps: Iterator[float], limit: float) -> float:
    """Time some steps, or only the first one if that takes much longer than the limit."""
    first = next(steps)  # libraries choose their kernels
    if first > HOPELESS * limit:
        return first
    start, seconds = time.perf_counter(), []
    while len(seconds) < MIN_TRIAL_STEPS or time.perf_counter() - start < MIN_TRIAL_SECONDS:
        seconds.append(next(steps))
    return sum(seconds) / len(seconds)


def _fastest(seconds: dict[int, float], before: int | None) -> int:
    """Return the fastest number of threads, or an acceptable one.

    This is the one before, unless it is clearly slower, or the smallest one that is hardly slower.
    """
    fastest = min(seconds.values())
    if before in seconds and seconds[before] < MIN_GAIN * fastest:
        return before
    return min(number for number, took in seconds.items() if took <= MIN_FIRST_GAIN * fastest)


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
