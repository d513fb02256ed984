"""The HTTP server: fast answers on kept connections, and limits for slow clients."""

import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anime_dcgan.studio import server as studio_server
from tests.studio.window import Server

HALF_REQUEST = b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "


@pytest.fixture(scope="module")
def server(outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(outputs, tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


def connect(server: Server, start: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    client.sendall(start)
    return client


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements(server: Server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        connection.request("GET", "/api/state")
        connection.getresponse().read()
        seconds.append(time.perf_counter() - start)
    connection.close()
    assert min(seconds) < 0.015  # it was 44 ms: Nagle's algorithm and delayed ACKs


def test_requests_that_do_not_arrive_are_given_up(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(studio_server, "HEADER_SECONDS", 0.1)
    monkeypatch.setattr(studio_server, "STALLED_SECONDS", 0.2)
    upload = (
        b"POST /api/saved HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Studio: 1\r\nContent-Length: 9\r\n\r\n{"
    )
    for start in (b"", HALF_REQUEST, upload):
        with connect(server, start) as client:
            assert is_closed(client)


def test_the_oldest_idle_connection_makes_room_for_a_new_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(studio_server.BoundedProtocol, "max_connections", 8)
    clients = [connect(server, HALF_REQUEST) for _ in range(40)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as visitor:
        visitor.sendall(b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert visitor.recv(15) == b"HTTP/1.1 200 OK"
    assert all(map(is_closed, clients[:30]))
    for client in clients:
        client.close()
