"""A bounded queue in front of one rendering thread, so that memory stays bounded under load."""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from anime_dcgan.studio.visitors import Visitor, VisitorGoneError, current_visitor, unless_gone

MAX_WAITING = 512

T = TypeVar("T")


class RenderQueueFullError(Exception):
    """The render queue has reached its limit."""


@dataclass(frozen=True, eq=False)
class _Entry:
    work: Callable[[], Any]
    result: asyncio.Future[Any]


class _Turns:
    """Waiting work; machines take turns, and so do the connections of each machine."""

    def __init__(self) -> None:
        self._machines: OrderedDict[str, OrderedDict[str, deque[_Entry]]] = OrderedDict()

    def add(self, visitor: Visitor, entry: _Entry) -> None:
        connections = self._machines.setdefault(visitor.machine, OrderedDict())
        connections.setdefault(visitor.connection, deque()).append(entry)

    def pop(self) -> _Entry | None:
        """Return the next entry, or None."""
        if not self._machines:
            return None
        machine, connections = self._machines.popitem(last=False)
        connection, entries = connections.popitem(last=False)
        entry = entries.popleft()
        if entries:
            connections[connection] = entries
        if connections:
            self._machines[machine] = connections
        return entry

    def discard(self, visitor: Visitor, entry: _Entry) -> None:
        """Remove an entry if it still waits."""
        connections = self._machines.get(visitor.machine, OrderedDict())
        entries = connections.get(visitor.connection, deque())
        with contextlib.suppress(ValueError):
            entries.remove(entry)
            if not entries:
                del connections[visitor.connection]
            if not connections:
                del self._machines[visitor.machine]


class RenderQueue:
    """Runs work on a single thread; visitors take turns, and those who have gone lose theirs.

    The thread never changes, because torch keeps a pool of intra-op threads per calling thread.
    All methods are called in the thread of the event loop.
    """

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="render")
        self._max_waiting = max_waiting
        self._waiting = 0
        self._is_busy = False
        self._turns = {True: _Turns(), False: _Turns()}  # by urgency

    @property
    def has_work(self) -> bool:
        """True while work waits or runs."""
        return self._waiting > 0

    async def run(self, work: Callable[[], T], always: bool = False, is_urgent: bool = True) -> T:
        """Return the result of `work`.

        Raises `RenderQueueFullError` if too many are waiting, and `VisitorGoneError` if the visitor
        leaves before the work begins, unless `always`.
        """
        if self._waiting >= self._max_waiting:
            raise RenderQueueFullError
        visitor = current_visitor()
        if visitor.gone.is_set() and not always:
            raise VisitorGoneError
        entry = _Entry(work, asyncio.get_running_loop().create_future())
        turns = self._turns[visitor.is_urgent and is_urgent]
        self._waiting += 1
        try:
            turns.add(visitor, entry)
            self._start_next()
            return await (entry.result if always else unless_gone(entry.result))
        finally:
            self._waiting -= 1
            turns.discard(visitor, entry)
            entry.result.cancel()

    def _start_next(self) -> None:
        if self._is_busy:
            return
        entry = self._turns[True].pop() or self._turns[False].pop()
        if entry is None:
            return
        self._is_busy = True
        running = asyncio.get_running_loop().run_in_executor(self._executor, entry.work)
        running.add_done_callback(lambda done: self._finish(entry, done))

    def _finish(self, entry: _Entry, done: asyncio.Future[Any]) -> None:
        self._is_busy = False
        error = None if done.cancelled() else done.exception()
        if not entry.result.done():
            if done.cancelled():
                entry.result.cancel()
            elif error is not None:
                entry.result.set_exception(error)
            else:
                entry.result.set_result(done.result())
        self._start_next()

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)
