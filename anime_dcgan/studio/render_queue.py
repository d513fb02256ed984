"""A bounded queue in front of one rendering thread, so that memory stays bounded under load."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MAX_WAITING = 512

T = TypeVar("T")


class RenderQueueFullError(Exception):
    """The render queue has reached its limit."""


class RenderQueue:
    """Runs work on a single thread, first come, first served.

    The thread never changes, because torch keeps a pool of intra-op threads per calling thread.
    """

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="render")
        self._max_waiting = max_waiting
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work`; raise `RenderQueueFullError` if too many are waiting."""
        if self._waiting >= self._max_waiting:
            raise RenderQueueFullError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)
