"""Slow facts about generators: computed on one background thread, and cached on disk."""

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_atomically, write_or_warn

MAX_RESULTS = 64  # in memory
MAX_UNFINISHED = 16  # each holds its generator in memory
PAUSE_SECONDS = 0.005
MAX_PAUSES_SECONDS = 1.0
"""Longest wait for faces between two steps, so that even a studio that always draws gets done."""
NICENESS = 10  # of the background thread, which draws faces too

Compute = Callable[[Callable[[float], None]], np.ndarray]
"""Called with a function that takes the fraction done, and must be called every few moments."""
IsValid = Callable[[np.ndarray], bool]


class MeasurementsFullError(Exception):
    """Too many measurements are unfinished."""


class Measurements:
    """Computes arrays in the background, each once, and stores them in a folder.

    Parameters:
        is_busy: True while faces wait to be drawn; the background waits for them, up to a second
            at each step.
    """

    def __init__(self, folder: Path, is_busy: Callable[[], bool]) -> None:
        self._folder = folder
        self._is_busy = is_busy
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix="measure", initializer=_lower_priority
        )
        self._results: dict[str, Future[np.ndarray]] = {}
        self._progress: dict[str, float] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def get(
        self, name: str, compute: Compute, is_valid: IsValid = lambda _: True
    ) -> "Future[np.ndarray]":
        """Return the result of that name, which is computed unless it is known.

        A stored result that is damaged or not valid is computed again. One that failed is returned
        once, and computed again the next time. Raises `MeasurementsFullError` if the result must be
        computed and too many others are waiting.
        """
        with self._lock:
            found = self._results.get(name)
            if found is not None and found.done() and found.exception() is not None:
                return self._results.pop(name)
            if found is None:
                unfinished = {key: one for key, one in self._results.items() if not one.done()}
                if len(unfinished) >= MAX_UNFINISHED:
                    raise MeasurementsFullError
                if len(self._results) >= MAX_RESULTS:
                    self._results = unfinished
                found = self._executor.submit(self._measure, name, compute, is_valid)
                self._results[name] = found
            return found

    def progress(self, name: str) -> float:
        """Return the fraction of a computation that is done."""
        return self._progress.get(name, 0.0)

    def close(self) -> None:
        """Stop the computation in progress."""
        self._closed.set()
        self._executor.shutdown(cancel_futures=True)

    def _measure(self, name: str, compute: Compute, is_valid: IsValid) -> np.ndarray:
        path = self._folder / f"{name}.npy"
        result = _read(path)
        if result is None or not is_valid(result):
            try:
                result = compute(partial(self._report, name))
            finally:
                self._progress.pop(name, None)
            write = partial(write_atomically, path, partial(_write, result))
            write_or_warn(write, path, "it is computed again at the next start")
        return result

    def _report(self, name: str, fraction: float) -> None:
        self._progress[name] = fraction
        until = time.monotonic() + MAX_PAUSES_SECONDS
        while self._is_busy() and not self._closed.is_set() and time.monotonic() < until:
            self._closed.wait(PAUSE_SECONDS)
        if self._closed.is_set():
            raise UserError("the studio is being closed")


def _read(path: Path) -> np.ndarray | None:
    try:
        result = np.load(path, allow_pickle=False)
        is_whole = isinstance(result, np.ndarray) and bool(np.isfinite(result).all())
    except (OSError, ValueError, EOFError, MemoryError, TypeError):
        return None
    return result if is_whole else None


def _write(result: np.ndarray, path: Path) -> None:
    np.save(path, result)


def _lower_priority() -> None:
    """Let this thread, and those that torch starts for it, yield to all others of the machine."""
    if sys.platform == "linux":  # elsewhere it would be that of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
