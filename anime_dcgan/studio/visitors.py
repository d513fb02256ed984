"""The visitor who sent a request: fair turns need to know them, and when they have gone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODILESS_METHODS = ("GET", "HEAD", "DELETE", "OPTIONS")
BACKGROUND_URGENCY = 6

T = TypeVar("T")


class VisitorGoneError(Exception):
    """The visitor closed the connection before the response was ready."""


@dataclass(eq=False)
class Visitor:
    """Whoever waits for a response.

    Attributes:
        machine, connection: levels at which visitors take turns.
        is_urgent: false if the request may wait for all others (`Priority: u=6`, RFC 9218).
        gone: set when the connection is closed.
    """

    machine: str = ""
    connection: str = ""
    is_urgent: bool = True
    gone: asyncio.Event = field(default_factory=asyncio.Event)


_current: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


def current_visitor() -> Visitor:
    """Return the visitor of the request that this task answers."""
    return _current.get() or Visitor()


async def unless_gone(result: asyncio.Future[T]) -> T:
    """Return the result; raise `VisitorGoneError` when the visitor leaves before."""
    gone = asyncio.ensure_future(current_visitor().gone.wait())
    try:
        await asyncio.wait({result, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            result.add_done_callback(_ignore_error)
            raise VisitorGoneError
        return result.result()
    finally:
        gone.cancel()


def _ignore_error(result: asyncio.Future[T]) -> None:
    """Retrieve the error of a result that nobody waits for, which asyncio would log."""
    if not result.cancelled():
        result.exception()


class VisitorMiddleware:
    """Makes the visitor of each request known to everything that answers it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        visitor = _visitor(scope)
        watched = _WatchedReceive(receive, visitor.gone, scope["method"] in BODILESS_METHODS)
        with _as_current(visitor):
            try:
                await self.app(scope, watched, send)
            finally:
                watched.stop()


@contextmanager
def _as_current(visitor: Visitor) -> Iterator[None]:
    token = _current.set(visitor)
    try:
        yield
    finally:
        _current.reset(token)


def _visitor(scope: Scope) -> Visitor:
    machine, port = scope.get("client") or ("", 0)
    return Visitor(machine, f"{machine}:{port}", _is_urgent(Headers(scope=scope)))


def _is_urgent(headers: Headers) -> bool:
    """Return False for a request whose Priority header asks for background delivery."""
    values = (part.strip() for part in headers.get("priority", "").split(","))
    urgency = next((part[2:] for part in values if part.startswith("u=")), "3")
    return not (urgency.isdecimal() and int(urgency) >= BACKGROUND_URGENCY)


class _WatchedReceive:
    """Wraps `receive` and watches for the end of the connection once the body has arrived."""

    def __init__(self, receive: Receive, gone: asyncio.Event, has_no_body: bool) -> None:
        self._receive, self._gone = receive, gone
        self._skips_body = has_no_body
        self._watcher = asyncio.ensure_future(self._watch()) if has_no_body else None

    async def __call__(self) -> Message:
        if self._skips_body:
            self._skips_body = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._watcher is not None:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone.set()
        elif not message.get("more_body", False):
            self._watcher = asyncio.ensure_future(self._watch())
        return message

    async def _watch(self) -> None:
        with suppress(Exception):  # such as a body that is too large
            while (await self._receive())["type"] != "http.disconnect":
                pass
        self._gone.set()

    def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
