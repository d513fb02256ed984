"""Chromium with real keys and clicks, driven by chromedriver.

The protocol (W3C WebDriver) is a few JSON requests to loopback and needs no package.
"""

import base64
import contextlib
import http.client
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
MISSING = BROWSER is None or DRIVER is None
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's key of an element
LEFT, UP, RIGHT, DOWN, ENTER, ESCAPE, CONTROL = "\ue012\ue013\ue014\ue015\ue007\ue00c\ue009"
DELETE = "\ue017"
SHIFT = "\ue008"
TIMEOUT = 60  # seconds, which a slow machine with other work needs
STOP_TIMEOUT = 10


class Chromium:
    """A headless browser window; `downloads` receives downloaded files."""

    def __init__(self, port: int, downloads: Path) -> None:
        self._port = port
        self.downloads = downloads
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options = {
            "binary": BROWSER,
            "args": [*arguments, "--window-size=1280,1000"],
            "prefs": {"download.default_directory": str(downloads)},
        }
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._ask("POST", "", {"capabilities": {"alwaysMatch": capabilities}})
        self._session = f"/{answer['sessionId']}"
        timeouts = {"implicit": 5000}  # ms, for tiles that are built lazily
        self._ask("POST", f"{self._session}/timeouts", timeouts)

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body = None if method == "GET" else json.dumps(content or {})
        connection.request(method, f"/session{path}", body)
        value = json.loads(connection.getresponse().read())["value"]
        connection.close()
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def close(self) -> None:
        self._ask("DELETE", self._session)

    def load(self, page: Path | str) -> None:
        """Open a file or an address and wait until it is drawn; earlier keys would be lost."""
        address = page if isinstance(page, str) else page.as_uri()
        self._ask("POST", f"{self._session}/url", {"url": address})
        script = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        self._ask("POST", f"{self._session}/execute/async", {"script": script, "args": []})

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        content = {"script": f"return {script}", "args": []}
        return self._ask("POST", f"{self._session}/execute/sync", content)

    def press(self, *keys: str, holding: str = "") -> None:
        """Press keys one after the other."""
        strokes = [
            {"type": f"key{action}", "value": key} for key in keys for action in ("Down", "Up")
        ]
        for modifier in holding:
            down, up = ({"type": kind, "value": modifier} for kind in ("keyDown", "keyUp"))
            strokes = [down, *strokes, up]
        actions = [{"type": "key", "id": "keyboard", "actions": strokes}]
        self._ask("POST", f"{self._session}/actions", {"actions": actions})

    def click(self, selector: str, number: int = 0) -> None:
        """Click the middle of an element."""
        self._ask("POST", f"{self._session}/element/{self._element(selector, number)}/click")

    def _element(self, selector: str, number: int) -> str:
        found = {"using": "css selector", "value": selector}
        elements = self._ask("POST", f"{self._session}/elements", found)
        assert len(elements) > number, f"there is no {selector}"
        return elements[number][ELEMENT]

    def console(self) -> list[str]:
        """Return the console messages since the last call."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def emulate(
        self, width: int, dark: bool = False, touch: bool = False, height: int = 1000
    ) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", {"features": [scheme]})

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        content = {"cmd": command, "params": parameters}
        self._ask("POST", f"{self._session}/goog/cdp/execute", content)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    @property
    def focused(self) -> str:
        return self.run("document.activeElement.getAttribute('aria-label')") or ""

    def downloaded(self, suffix: str = ".json") -> Path:
        """Wait for a downloaded file and return it."""
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            found = [path for path in self.downloads.iterdir() if path.suffix == suffix]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError("nothing was downloaded")

    def wait(self, script: str) -> Any:
        """Wait until a JavaScript expression is truthy and return it; exceptions count as false."""
        until = time.monotonic() + TIMEOUT
        guarded = f"(() => {{ try {{ return {script} }} catch {{ return null }} }})()"
        while not (value := self.run(guarded)):
            assert time.monotonic() < until, f"never came true: {script}"
            time.sleep(0.03)
        return value

    def type(self, selector: str, text: str, number: int = 0) -> None:
        """Type text into a box, or set the path of a file input."""
        element = self._element(selector, number)
        self._ask("POST", f"{self._session}/element/{element}/value", {"text": text})


@contextmanager
def chromedriver() -> Iterator[int]:
    """Run chromedriver and yield its port."""
    command = [str(DRIVER), "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            port = next(
                int(found[1])
                for line in process.stdout
                if (found := re.search(r"started successfully on port (\d+)", line))
            )
            yield port
        finally:  # or else a failed test would wait for chromedriver forever
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT)
            process.kill()
