"""A published site, served below a path of a server on loopback."""

import functools
import http.server
import threading
from pathlib import Path
from typing import Any

import numpy as np

from tests.chromium import Chromium

PATH = "some/where/faces"
PICTURE = "document.getElementById('picture')"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")  # as on GitHub Pages
        super().end_headers()


class SiteServer:
    """Serves a folder, and can be stopped and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._handler = functools.partial(Handler, directory=str(folder))
        self.port = 0
        self.start()

    def start(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/{PATH}/"


class SiteWindow(Chromium):
    """A browser with the site open."""

    address: str

    def open(self, hash: str = "") -> None:
        self.load("about:blank")
        self.load(f"{self.address}{hash}")
        self.is_drawn()

    def is_drawn(self) -> None:
        """Wait until the large picture is that of the address."""
        self.wait(f"{PICTURE}.dataset.face === location.hash")

    def pixels(self, canvas: str = PICTURE) -> np.ndarray:
        """Return the pixels of a canvas as integers."""
        values = self.wait(
            "((canvas) => { const copy = new OffscreenCanvas(canvas.width, canvas.height)"
            ".getContext('2d', {willReadFrequently: true}); copy.drawImage(canvas, 0, 0);"
            " return [canvas.width, ...copy.getImageData(0, 0, canvas.width, canvas.width).data]"
            f" }})({canvas})"
        )
        side = values[0]
        return np.array(values[1:]).reshape(side, side, 4)[..., :3]

    def hash(self) -> str:
        return self.run("location.hash")
