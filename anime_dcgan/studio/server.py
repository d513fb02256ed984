"""The listening socket and the HTTP server, with limits that slow clients cannot exceed.

uvicorn waits forever for headers, bodies and readers, and keeps every connection that the system
gives it. A browser with many tabs, or a broken script, would use up all open files of the process.
"""

import asyncio
import contextlib
import socket
import sys
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
"""Time from the start of a request, or of a connection, until its headers are complete."""
STALLED_SECONDS = 30.0
"""Time that a request body or a reader of a response may make no progress."""
BACKLOG = 256
OTHER_FILES = 256
"""Files that the studio opens besides its connections: checkpoints, the database, pictures."""
MAX_FILES, MAX_CONNECTIONS = 4096, 1024


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise `OSError` if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol, asyncio does not set TCP_NODELAY: each response would wait 40 ms.
    server_socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server_socket.bind((host, port))
        server_socket.listen(BACKLOG)
    except OSError:
        server_socket.close()
        raise
    return server_socket


def make_server(app: Any, **options: Any) -> uvicorn.Server:
    """Return a server of `app` whose connections are limited; `options` are those of uvicorn."""
    BoundedProtocol.max_connections = _max_connections()
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        backlog=BACKLOG,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        **options,
    )
    return uvicorn.Server(config)


def _max_connections() -> int:
    """Allow as many open files as useful, and return how many of them may be connections."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    wanted = MAX_FILES if hard == infinite else min(MAX_FILES, hard)
    if soft != infinite and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == infinite:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, soft - OTHER_FILES - BACKLOG))


class BoundedProtocol(H11Protocol):
    """An HTTP/1.1 connection that is closed when the client makes it wait for too long.

    When there are too many connections, the one that has been idle for the longest time is closed.
    """

    max_connections = MAX_CONNECTIONS
    _timer: asyncio.TimerHandle | None = None
    last_active = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.last_active = self.loop.time()
        self._limit(HEADER_SECONDS)
        self._make_room()

    def data_received(self, data: bytes) -> None:
        self.last_active = self.loop.time()
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.SEND_BODY:
            self._limit(STALLED_SECONDS)
        elif self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            self._limit(HEADER_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._limit(STALLED_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    @property
    def is_answering(self) -> bool:
        """True if a complete request has arrived and its response is not finished."""
        is_receiving = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        return self.cycle is not None and not self.cycle.response_complete and not is_receiving

    def _limit(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._on_timeout, seconds)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self, seconds: float) -> None:
        if self.conn.their_state is h11.SEND_BODY and self.flow.read_paused:
            self._limit(seconds)  # the studio is what is slow
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        if len(self.connections) <= self.max_connections:
            return
        protocols = [each for each in self.connections if isinstance(each, BoundedProtocol)]
        remaining = [each for each in protocols if not each.transport.is_closing()]
        if len(remaining) > self.max_connections:
            idle = [each for each in remaining if not each.is_answering]
            min(idle, key=lambda each: each.last_active, default=self).transport.abort()
