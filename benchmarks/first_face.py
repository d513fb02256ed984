"""Time from opening a published site to its first face, in Chromium with an empty profile.

    python -m benchmarks.first_face SITE [rounds, default 7]

Each round starts a browser with an empty cache, so that the network, the runtime and the page are
loaded from a server on loopback, and WebAssembly is compiled. The time is that of the page itself,
from the start of the navigation until the picture is on the canvas.
"""

import functools
import http.server
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import machine
from tests.chromium import Chromium, chromedriver

FIRST_FACE = "performance.getEntriesByName('first-face')[0].startTime / 1000"


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve a folder and yield its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def open_site(address: str) -> float:
    """Return the seconds until the first face."""
    with tempfile.TemporaryDirectory() as downloads, chromedriver() as port:
        browser = Chromium(port, Path(downloads))
        browser.load("about:blank")
        browser.load(address)
        seconds = browser.wait(FIRST_FACE)
        browser.close()
    return seconds


def main() -> None:
    site = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with serve(site) as address:
        times = sorted(open_site(address) for _ in range(rounds))
    print(machine())
    weights = (site / "generator.onnx").stat().st_size / 1e6
    print(
        f"{weights:.1f} MB of weights: first face after {statistics.median(times):.2f} s "
        f"(median of {rounds}, {times[0]:.2f} to {times[-1]:.2f} s)"
    )


if __name__ == "__main__":
    main()
