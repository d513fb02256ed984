"""Drawing, one at a time: whoever comes meanwhile waits, and memory stays bounded."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST_WAITING = 512

T = TypeVar("T")


class Busy(Exception):
    """More are waiting than the studio takes in."""


class RenderQueue:
    """One thread that draws, and a queue in front of it, first come, first served.

    Always the same thread, because the threads of a matrix product belong to the one that asks.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="drawing")
        self._most = most_waiting
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, once it is its turn; raises `Busy` where too many wait."""
        if self._waiting >= self._most:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
