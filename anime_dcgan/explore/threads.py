"""The number of CPU threads that draw, while other programs may use the same cores.

Two threads that wait for each other many times per image are slower than one where a training
keeps a core busy (benchmarks/threads.py), and slow that training down.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

import torch

SLOWDOWN = 1.5  # times the best duration, at which the numbers are compared again
MIN_PAUSE = 2.0  # s between comparisons
MAX_PAUSE = 30.0  # s, after which the unused number is tried, unless that costs too much
MAX_COST = 0.02  # of the time, for trials of a slower number
MAX_KINDS = 64

T = TypeVar("T")


@dataclass
class _Kind:
    """Durations of equal work in seconds, by number of threads."""

    latest: dict[int, float] = field(default_factory=dict)
    best: float = float("inf")  # with the number in use, since the latest comparison
    compared_at: float = 0.0
    is_warm: bool = False

    @property
    def fastest(self) -> int:
        """The number of threads that was faster when it was used last."""
        return min(self.latest, key=self.latest.__getitem__)


class DrawingThreads:
    """Runs work with all threads, or with one where that is faster.

    Each kind of work is equal work, such as a batch of a generator. Its first call, which may
    prepare kernels, is not timed. The number that is not in use is tried when a call takes 1.5
    times as long as before, and now and then.

    Parameters:
        max_threads: the larger number; None is torch's.
    """

    def __init__(
        self, max_threads: int | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.max_threads = torch.get_num_threads() if max_threads is None else max_threads
        self._clock = clock
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()

    def run(self, kind: Hashable, work: Callable[[], T]) -> T:
        """Return the result of `work`, in this thread."""
        if self.max_threads == 1:
            return work()
        record = self._kinds.setdefault(kind, _Kind())
        self._kinds.move_to_end(kind)
        if len(self._kinds) > MAX_KINDS:
            self._kinds.popitem(last=False)
        threads = self._choose(record)
        torch.set_num_threads(threads)
        start = self._clock()
        result = work()
        self._record(record, threads, start)
        return result

    def _choose(self, record: _Kind) -> int:
        for threads in (self.max_threads, 1):
            if not record.is_warm or threads not in record.latest:
                return threads
        fastest = record.fastest
        other = self.max_threads if fastest == 1 else 1
        pause = MIN_PAUSE
        if record.latest[fastest] <= SLOWDOWN * record.best:
            pause = max(MAX_PAUSE, (record.latest[other] - record.latest[fastest]) / MAX_COST)
        return other if self._clock() - record.compared_at >= pause else fastest

    def _record(self, record: _Kind, threads: int, start: float) -> None:
        now = self._clock()
        if not record.is_warm:
            record.is_warm = True
            return
        is_comparison = threads not in record.latest or threads != record.fastest
        record.latest[threads] = now - start
        if is_comparison:
            record.best, record.compared_at = float("inf"), now
        record.best = min(record.best, record.latest[record.fastest])
