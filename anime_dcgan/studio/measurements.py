"""Slow facts about generators: computed on one background thread, and cached on disk."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_atomically, write_or_warn

MAX_RESULTS = 64  # in memory
PAUSE_SECONDS = 0.005

Compute = Callable[[Callable[[float], None]], np.ndarray]
"""Called with a function that takes the fraction done, and must be called every few moments."""


class Measurements:
    """Computes arrays in the background, each once, and stores them in a folder.

    Parameters:
        is_busy: True while faces wait to be drawn; the background waits for them.
    """

    def __init__(self, folder: Path, is_busy: Callable[[], bool]) -> None:
        self._folder = folder
        self._is_busy = is_busy
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="measure")
        self._results: dict[str, Future[np.ndarray]] = {}
        self._progress: dict[str, float] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def get(self, name: str, compute: Compute) -> "Future[np.ndarray]":
        """Return the result of that name, which is computed unless it is known."""
        with self._lock:
            found = self._results.get(name)
            if found is None or (found.done() and found.exception() is not None):
                if len(self._results) >= MAX_RESULTS:
                    self._results = {
                        key: one for key, one in self._results.items() if not one.done()
                    }
                found = self._executor.submit(self._measure, name, compute)
                self._results[name] = found
            return found

    def progress(self, name: str) -> float:
        """Return the fraction of a computation that is done."""
        return self._progress.get(name, 0.0)

    def close(self) -> None:
        """Stop the computation in progress."""
        self._closed.set()
        self._executor.shutdown(cancel_futures=True)

    def _measure(self, name: str, compute: Compute) -> np.ndarray:
        path = self._folder / f"{name}.npy"
        result = _read(path)
        if result is None:
            result = compute(partial(self._report, name))
            write = partial(write_atomically, path, partial(_write, result))
            write_or_warn(write, path, "it is computed again at the next start")
        self._progress.pop(name, None)
        return result

    def _report(self, name: str, fraction: float) -> None:
        self._progress[name] = fraction
        while self._is_busy() and not self._closed.is_set():
            self._closed.wait(PAUSE_SECONDS)
        if self._closed.is_set():
            raise UserError("the studio is being closed")


def _read(path: Path) -> np.ndarray | None:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def _write(result: np.ndarray, path: Path) -> None:
    np.save(path, result)
