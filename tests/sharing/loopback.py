"""The parts of a hub of models that the library uses, on loopback."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.data.loopback_hub import send, send_json


class ModelHub:
    """Repositories of models, each with one branch."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.tokens: set[str | None] = set()
        """Authorization header of each request."""
        self.downloads: list[str] = []
        """Files that were downloaded."""
        self.refuses = False
        """True if the token may not write."""

    def commit(self, repo: str) -> str:
        content = self.repositories[repo]
        return hashlib.sha1(repr(sorted(content.items())).encode()).hexdigest()

    def answer(self, request: BaseHTTPRequestHandler, path: str, body: bytes) -> None:
        self.tokens.add(request.headers.get("Authorization"))
        if path == "/api/repos/create":
            self._create(request, json.loads(body))
        elif path == "/api/validate-yaml":
            send_json(request, {"errors": [], "warnings": []})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/.*)?", path):
            self._answer_api(request, found[1], found[2] or "", body)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(\w+)/(.+)", path):
            self._send_file(request, found[1], found[3])
        else:
            send(request, 404, {"X-Error-Code": "RepoNotFound"})

    def _create(self, request: BaseHTTPRequestHandler, content: dict[str, str]) -> None:
        if self.refuses:
            send(request, 403, {"X-Error-Message": "no rights"})
            return
        repo = f"{content['organization']}/{content['name']}"
        self.repositories.setdefault(repo, {})
        send_json(request, {"url": f"http://{request.headers['Host']}/{repo}", "id": repo})

    def _answer_api(
        self, request: BaseHTTPRequestHandler, repo: str, rest: str, body: bytes
    ) -> None:
        if repo not in self.repositories:
            send(request, 404, {"X-Error-Code": "RepoNotFound"})
        elif rest.startswith("/preupload/"):
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = [
                {"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names
            ]
            send_json(request, {"files": modes})
        elif rest.startswith("/commit/"):
            self._commit(repo, body)
            url = f"http://{request.headers['Host']}/{repo}/commit/1"
            send_json(request, {"commitUrl": url, "commitOid": self.commit(repo)})
        elif rest.startswith("/tree/"):
            send_json(request, [self._entry(repo, path) for path in self.repositories[repo]])
        elif rest.startswith("/revision/") and not re.search(
            rf"/(main|{self.commit(repo)})$", rest
        ):
            send(request, 404, {"X-Error-Code": "RevisionNotFound"})
        else:
            send_json(request, {"id": repo, "sha": self.commit(repo), "siblings": []})

    def _commit(self, repo: str, body: bytes) -> None:
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                self.repositories[repo][entry["value"]["path"]] = content

    def _entry(self, repo: str, path: str) -> dict[str, object]:
        data = self.repositories[repo][path]
        oid = hashlib.sha1(data).hexdigest()
        return {"type": "file", "path": path, "size": len(data), "oid": oid}

    def _send_file(self, request: BaseHTTPRequestHandler, repo: str, path: str) -> None:
        data = self.repositories[repo][path]
        headers = {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": self.commit(repo),
            "Content-Length": str(len(data)),
        }
        if request.command == "HEAD":
            send(request, 200, headers)
        else:
            self.downloads.append(path)
            send(request, 200, headers, data)


@contextmanager
def serving(hub: ModelHub) -> Iterator[str]:
    """Serve a hub, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else self._chunks()
            hub.answer(self, unquote(urlsplit(self.path).path), body)

        do_HEAD = do_POST = do_GET

        def _chunks(self) -> bytes:
            body = b""
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            return body

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
