"""Work on a source spread over processes, in order, that ends when the program ends."""

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

from anime_dcgan.system.errors import UserError

Part = TypeVar("Part")
Result = TypeVar("Result")

IN_FLIGHT_PER_WORKER = 3
MOST_ON_WINDOWS = 61  # workers that a pool may have there


def in_order(
    work: Callable[[Part], Result], parts: Sequence[Part], workers: int, setting: str
) -> Generator[Result, None, None]:
    """`work(part)` of each part in order, from this process or from `workers` of them.

    `work` is pickled once for each worker. A bounded number of results is made ahead of the one
    that is yielded. `setting` is the override that a user names the number of workers with.
    """
    if workers <= 1 or len(parts) < 2:
        return (work(part) for part in parts)
    return _in_pool(work, parts, workers, setting)


def _in_pool(
    work: Callable[[Part], Result], parts: Sequence[Part], workers: int, setting: str
) -> Generator[Result, None, None]:
    context = multiprocessing.get_context("spawn")
    tether, held_end = context.Pipe(duplex=False)
    count = min(workers, len(parts), MOST_ON_WINDOWS if sys.platform == "win32" else workers)
    pool = ProcessPoolExecutor(count, context, _start_worker, (work, tether))
    waiting: deque[Future[Result]] = deque()
    try:
        for part in parts:
            with _interrupt_held():  # the first one starts the workers, which inherit it
                waiting.append(pool.submit(_work, part))
            if len(waiting) >= IN_FLIGHT_PER_WORKER * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        pool.shutdown()
    except BrokenProcessPool as error:
        raise UserError(
            f"one of {workers} processes that decode pictures died, killed for want of memory or "
            f"by a picture that crashes its decoder: {setting}=1 decodes without them"
        ) from error
    finally:
        held_end.close()  # workers that are still busy, after an error or Ctrl-C, end at once
        pool.shutdown(cancel_futures=True)
        tether.close()


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Ctrl-C waits meanwhile; in a process that is started here it waits for ever.

    So a worker that is still loading its modules leaves Ctrl-C to the parent, too.
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
    """What a worker process does, and when it ends.

    The parent's end of the tether closes when it lets go, or dies, even by -9. A worker that is
    busy ends at once; one that hands back a result does so first, since half of one would leave the
    parent waiting for the rest.
    """

    work: Callable[[Any], Any]
    tether: Connection
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: bool = False
    let_go: bool = False

    def __call__(self, part: Any) -> Any:
        self._become(busy=True)
        try:
            return self.work(part)
        finally:
            self._become(busy=False)

    def end_with_tether(self) -> None:
        wait([self.tether])
        with self.lock:
            self.let_go = True
            if self.busy:
                os._exit(1)
        parent = multiprocessing.parent_process()
        assert parent is not None
        wait([parent.sentinel])  # a living one tells idle workers to end, a dead one reads nothing
        os._exit(1)

    def _become(self, busy: bool) -> None:
        with self.lock:
            self.busy = busy
            if busy and self.let_go:
                os._exit(1)


_worker: _Worker | None = None


def _start_worker(work: Callable[[Any], Any], tether: Connection) -> None:
    """Leave Ctrl-C to the parent, and watch the tether."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = _Worker(work, tether)
    threading.Thread(target=_worker.end_with_tether, daemon=True).start()


def _work(part: Any) -> Any:
    assert _worker is not None
    return _worker(part)


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def with_progress(
    results: Iterator[Result],
    total: int,
    label: str,
    name: str,
    size: Callable[[Result], tuple[int, int]],
) -> Generator[Result, None, None]:
    """Pass the results on and say on stderr how far they are: a bar, or on no terminal two lines.

    `size` is how many pictures a result stands for, and how many of them are unreadable; `label`
    is what is done to them, as in "decoding".
    """
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} pictures/s", markup=False),
        TimeRemainingColumn(),
    )
    console.print(f"{label} {total:,} pictures of {name}")
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
