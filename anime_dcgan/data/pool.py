"""An ordered map over a pool of worker processes that exit with their parent."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from anime_dcgan.system.console import printable
from anime_dcgan.system.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT_PER_WORKER = 3
MAX_WORKERS_ON_WINDOWS = 61  # limit of `ProcessPoolExecutor`


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, setting: str
) -> Generator[Result, None, None]:
    """Yield `work(item)` for each item in order, from this process or from `workers` processes.

    `work` is pickled once per worker. A bounded number of results is computed ahead of the yielded
    one. `setting` is the name of the override for the number of workers.
    """
    if workers <= 1 or len(items) < 2:
        return (work(item) for item in items)
    return _in_pool(work, items, workers, setting)


def _in_pool(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, setting: str
) -> Generator[Result, None, None]:
    context = multiprocessing.get_context("spawn")
    tether, parent_end = context.Pipe(duplex=False)
    count = min(workers, len(items), MAX_WORKERS_ON_WINDOWS if sys.platform == "win32" else workers)
    pool = ProcessPoolExecutor(count, context, _start_worker, (work, tether))
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            with _sigint_blocked():  # the first call starts the workers, which inherit the mask
                waiting.append(pool.submit(_work, item))
            if len(waiting) >= IN_FLIGHT_PER_WORKER * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        pool.shutdown()
    except BrokenProcessPool as error:
        raise UserError(
            f"one of {workers} worker processes died (out of memory, or a picture that crashes its "
            f"decoder): use {setting}=1 to decode in the main process"
        ) from error
    finally:
        parent_end.close()  # busy workers exit at once after an error or Ctrl-C
        pool.shutdown(cancel_futures=True)
        tether.close()


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT during the block, and permanently in processes started within it.

    This way even a worker that is still importing its modules leaves Ctrl-C to the parent.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass
class _Worker:
    """The state of a worker process.

    The parent's end of the tether closes when the parent releases it or dies, even by SIGKILL. A
    busy worker then exits at once; one that is sending a result finishes first, since the parent
    would wait forever for the rest of a partial result.
    """

    work: Callable[[Any], Any]
    tether: Connection
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: bool = False
    released: bool = False

    def __call__(self, item: Any) -> Any:
        self._set_busy(busy=True)
        try:
            return self.work(item)
        finally:
            self._set_busy(busy=False)

    def exit_when_released(self) -> None:
        wait([self.tether])
        with self.lock:
            self.released = True
            if self.busy:
                os._exit(1)
        parent = multiprocessing.parent_process()
        assert parent is not None
        wait([parent.sentinel])  # a live parent stops idle workers; a dead one reads nothing
        os._exit(1)

    def _set_busy(self, busy: bool) -> None:
        with self.lock:
            self.busy = busy
            if busy and self.released:
                os._exit(1)


_worker: _Worker | None = None


def _start_worker(work: Callable[[Any], Any], tether: Connection) -> None:
    """Leave Ctrl-C to the parent, and watch the tether."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = _Worker(work, tether)
    threading.Thread(target=_worker.exit_when_released, daemon=True).start()


def _work(item: Any) -> Any:
    assert _worker is not None
    return _worker(item)


def cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def with_progress(
    results: Iterator[Result],
    total: int,
    label: str,
    name: str,
    size: Callable[[Result], tuple[int, int]],
) -> Generator[Result, None, None]:
    """Yield the results, with a progress bar on stderr, or two lines if it is not a terminal.

    `size` returns the number of pictures in a result and how many of them are unreadable; `label`
    names the work, such as "decoding".
    """
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} pictures/s", markup=False),
        TimeRemainingColumn(),
    )
    console.print(f"{label} {total:,} pictures of {printable(name)}")
    start, done, unreadable, rate = time.perf_counter(), 0, 0, "-"
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=total, rate=rate)
        for result in results:
            yield result
            more, bad = size(result)
            done, unreadable = done + more, unreadable + bad
            rate = f"{done / (time.perf_counter() - start):,.0f}"
            progress.update(task, completed=done, rate=rate)
    seconds = time.perf_counter() - start
    console.print(f"{label} took {seconds:.1f} s, {rate} pictures/s, {unreadable:,} unreadable")
