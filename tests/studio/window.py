"""The studio served on a free port and opened in a real browser."""

import threading
import time
from pathlib import Path

from anime_dcgan.studio.app import Settings, create_app
from anime_dcgan.studio.server import listen, make_server
from tests.chromium import Chromium

START_TIMEOUT = 20  # seconds


class Server:
    """A studio of `outputs` in a thread, which can be restarted on the same port."""

    def __init__(self, outputs: Path, folder: Path) -> None:
        self.folder = folder
        self._settings = Settings(outputs, folder)
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        listening = listen("127.0.0.1", self.port)
        self.port = listening.getsockname()[1]
        self._server = make_server(
            create_app(self._settings), log_level="critical", timeout_graceful_shutdown=1
        )
        self._thread = threading.Thread(target=self._server.run, args=([listening],))
        self._thread.start()
        until = time.monotonic() + START_TIMEOUT
        while not self._server.started:
            assert time.monotonic() < until and self._thread.is_alive()
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


class Window(Chromium):
    """A browser with the studio open."""

    def __init__(self, port: int, downloads: Path, server: Server) -> None:
        super().__init__(port, downloads)
        self.server = server

    def open(self, hash: str = "") -> None:
        """Load the page at this hash from scratch, rather than change the hash of the open page."""
        self.load("about:blank")
        self.load(f"{self.server.address}/{hash}")

    def painted(self, count: int, where: str = "#view") -> None:
        """Wait until at least `count` faces are drawn."""
        self.wait(f"document.querySelectorAll('{where} .tile.painted').length >= {count}")

    def has(self, selector: str) -> None:
        self.wait(f"document.querySelector({selector!r})")

    def count(self, selector: str) -> int:
        return self.run(f"document.querySelectorAll({selector!r}).length")

    def text(self, selector: str) -> str:
        return self.wait(f"document.querySelector({selector!r})?.textContent")

    def attribute(self, selector: str, name: str) -> str:
        return self.run(f"document.querySelector({selector!r}).getAttribute({name!r})")

    def until(self, selector: str, text: str) -> None:
        """Wait until an element contains this text."""
        self.wait(f"document.querySelector({selector!r})?.textContent.includes({text!r})")

    def press_button(self, text: str, where: str = "body") -> None:
        """Click the first button, link or summary with exactly this text."""
        find = (
            f"[...document.querySelector({where!r}).querySelectorAll('button, a, summary')]"
            f".find(one => one.textContent === {text!r} && one.offsetParent)"
        )
        self.wait(f"({find}) && !({find}).disabled")
        self.run(f"({find}).setAttribute('data-pressed', '')")
        self.click("[data-pressed]")
        self.run(
            "document.querySelectorAll('[data-pressed]')"
            ".forEach(one => one.removeAttribute('data-pressed'))"
        )

    def focus(self, selector: str) -> None:
        self.has(selector)
        self.run(f"document.querySelector({selector!r}).focus()")

    def choose(self, selector: str, value: str) -> None:
        """Set the value of a list or a slider and fire the events of a user."""
        self.has(selector)
        self.run(
            f"(() => {{ const one = document.querySelector({selector!r}); one.value = {value!r};"
            " for (const name of ['input', 'change'])"
            " one.dispatchEvent(new Event(name, {bubbles: true})); })()"
        )

    @property
    def hash(self) -> str:
        return self.run("decodeURIComponent(location.hash)")

    def at(self, *parts: str) -> None:
        """Wait until the address contains these parts."""
        for part in parts:
            self.wait(f"decodeURIComponent(location.hash).includes({part!r})")
