"""Visitors take turns at the rendering thread, and lose them when they leave."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from anime_dcgan.studio import visitors
from anime_dcgan.studio.render_queue import RenderQueue
from anime_dcgan.studio.visitors import Visitor, VisitorGoneError


async def ask(
    queue: RenderQueue, visitor: Visitor, work: Callable[[], object], always: bool = False
) -> object:
    with visitors._as_current(visitor):
        return await queue.run(work, always)


def run_while_busy(requests: list[tuple[Visitor, str]], leave: Visitor | None = None) -> list[str]:
    """Return the order in which works are done that were requested while another one ran."""
    done: list[str] = []

    async def main() -> None:
        queue, is_free = RenderQueue(), threading.Event()
        busy = asyncio.ensure_future(queue.run(is_free.wait))
        tasks = [
            asyncio.ensure_future(ask(queue, visitor, lambda name=name: done.append(name)))
            for visitor, name in requests
        ]
        await asyncio.sleep(0.01)
        if leave is not None:
            leave.gone.set()
            await asyncio.sleep(0.01)
            assert leave.connection not in queue._turns[True]._machines[leave.machine]
        is_free.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await busy
        queue.close()
        gone = [isinstance(result, VisitorGoneError) for result in results]
        assert gone == [visitor is leave for visitor, _ in requests]

    asyncio.run(main())
    return done


def test_machines_and_their_connections_take_turns():
    first, second = Visitor("a", "a:1"), Visitor("a", "a:2")
    other, background = Visitor("b", "b:1"), Visitor("c", "c:1", is_urgent=False)
    requests = [(background, "z"), *((first, f"1{n}") for n in range(3)), (second, "2")]
    assert run_while_busy([*requests, (other, "b0"), (other, "b1")]) == [
        *("10", "b0", "2", "b1", "11", "12", "z")
    ]


def test_work_of_a_visitor_who_has_gone_is_dropped():
    gone, waiting = Visitor("a", "a:1"), Visitor("a", "a:2")
    assert run_while_busy([(gone, "1"), (gone, "2"), (waiting, "3")], leave=gone) == ["3"]


def test_changes_are_made_even_if_the_visitor_has_gone():
    async def main() -> object:
        visitor, queue = Visitor(), RenderQueue()
        visitor.gone.set()
        with pytest.raises(VisitorGoneError):
            await ask(queue, visitor, lambda: 1)
        return await ask(queue, visitor, lambda: 2, always=True)

    assert asyncio.run(main()) == 2
