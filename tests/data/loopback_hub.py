"""A small hub on loopback, which can be made to answer faultily."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import numpy as np
from PIL import Image

REPO = "painters/some-faces"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
COLOURS = {"a": (250, 0, 0), "b": (0, 250, 0), "c": (0, 0, 250)}


def png(colour: tuple[int, int, int], size: int = 8) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(stream, "PNG")
    return stream.getvalue()


def archive_of_faces() -> bytes:
    """Return three faces, each in two folders, after noise that makes the archive larger."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("noise.bin", np.random.default_rng(0).bytes(300_000))
        for folder in ("images", "images/data"):
            for name, colour in COLOURS.items():
                archive.writestr(f"{folder}/{name}.png", png(colour))
    return stream.getvalue()


class LoopbackHub:
    """The parts of a hub that the library uses: dataset info, tree, paths-info, resolve."""

    def __init__(self) -> None:
        self.files = {"README.md": b"a card", "data.zip": archive_of_faces()}
        self.checksums: dict[str, str] = {}
        """SHA-256 by path, if the hub states another one than the file has."""
        self.downloads: list[str | None] = []
        """Range header of each download."""
        self.requests = 0
        self.tokens: list[str] = []
        self.faults: list[Callable[[BaseHTTPRequestHandler, bytes], None]] = []
        """Faulty answers to the next downloads."""
        self.licence: str | None = "cc0-1.0"

    def entry(self, path: str) -> dict[str, object]:
        data = self.files[path]
        entry: dict[str, object] = {
            "type": "file",
            "path": path,
            "size": len(data),
            "oid": "0" * 40,
        }
        if not path.endswith(".md"):
            digest = self.checksums.get(path) or hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
        return entry

    def answer(self, request: BaseHTTPRequestHandler, path: str, body: str) -> None:
        self.requests += 1
        self.tokens += request.headers.get_all("Authorization", [])
        if path.startswith("/cdn/"):
            self.send_file(request, self.files[path.removeprefix("/cdn/")])
        elif f"datasets/{REPO}" not in path:
            send(request, 404, {"X-Error-Code": "RepoNotFound"})
        elif found := re.fullmatch(f"/datasets/{REPO}/resolve/{COMMIT}/(.+)", path):
            send(request, 302, {"Location": f"/cdn/{found[1]}", "X-Repo-Commit": COMMIT})
        elif not re.search(rf"/(main|{COMMIT})$", path):
            send(request, 404, {"X-Error-Code": "RevisionNotFound"})
        elif "/revision/" in path:
            info = {"id": REPO, "sha": COMMIT, "cardData": {"license": self.licence}}
            send_json(request, info)
        elif "/paths-info/" in path:
            requested = parse_qs(body)["paths"]
            send_json(request, [self.entry(path) for path in requested if path in self.files])
        else:
            folder = {"type": "directory", "path": "images", "oid": "0" * 40}
            send_json(request, [folder, *map(self.entry, self.files)])

    def send_file(self, request: BaseHTTPRequestHandler, data: bytes) -> None:
        requested = request.headers["Range"]
        self.downloads.append(requested)
        if self.faults:
            self.faults.pop(0)(request, data)
        elif requested is None:
            send(request, 200, {"Content-Length": str(len(data))}, data)
        else:
            start = int(requested.removeprefix("bytes=").removesuffix("-"))
            content_range = f"bytes {start}-{len(data) - 1}/{len(data)}"
            headers = {"Content-Range": content_range, "Content-Length": str(len(data) - start)}
            send(request, 206, headers, data[start:])


def send(
    request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], data: bytes = b""
) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": "0", **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(data)


def send_json(request: BaseHTTPRequestHandler, content: object) -> None:
    data = json.dumps(content).encode()
    send(request, 200, {"Content-Length": str(len(data)), "Content-Type": "application/json"}, data)


def breaks_after(count: int) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    """Return a fault that ends the connection after `count` bytes of the body."""

    def fault(request: BaseHTTPRequestHandler, data: bytes) -> None:
        send(request, 200, {"Content-Length": str(len(data))}, data[:count])
        request.close_connection = True

    return fault


def unavailable(request: BaseHTTPRequestHandler, data: bytes) -> None:
    send(request, 503, {})
