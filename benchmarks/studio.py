"""Response times of the studio for one client, and under the load of many.

    python -m benchmarks.studio [seconds of load, default 60] [clients, default 64]

The report's generator (64 px, untrained, which needs the same arithmetic) is served by the command
that users run. The medians over HTTP are printed for a wall of 64 new faces, for its first 16
(the page requests 16 at a time), for a prefetched wall (as the page requests when idle), and
for a face moved along a direction. Then many clients each request a new wall or a new face as soon
as the last one has arrived. The numbers of responses and failures, waiting times, and the memory of
the server before and at its peak are printed.
"""

import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from anime_dcgan.model.dcgan import Generator
from benchmarks.measure import machine, memory

ROUNDS = 30
FACE = "run=a&epoch=1&weights=ema"


@dataclass
class Load:
    """Results of the requests of all clients."""

    waits: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def main() -> None:
    seconds, clients = (float(text) for text in (*sys.argv[1:], *("60", "64")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as temporary:
        outputs = make_run(Path(temporary) / "outputs")
        server, port = start(outputs)
        try:
            measure(server.pid, port, seconds, int(clients))
        finally:
            server.terminate()
            server.wait()


def make_run(outputs: Path) -> Path:
    """Write a run with one checkpoint of the report's generator."""
    torch.manual_seed(0)
    state = Generator().state_dict()
    contents = {
        "state_dict": {f"generator_ema.{name}": value for name, value in state.items()},
        "config": {"model": {"generator": {"_target_": "anime_dcgan.model.dcgan.Generator"}}},
        **{"images_seen": 0, "epochs_done": 1},
    }
    (outputs / "a" / "checkpoints").mkdir(parents=True)
    torch.save(contents, outputs / "a" / "checkpoints" / "epoch=0001.ckpt")
    return outputs


def start(outputs: Path) -> tuple[subprocess.Popen[str], int]:
    """Start the studio; return its process and port."""
    argv = [f"outputs={outputs}", "port=0", "browser=false"]
    server = subprocess.Popen(
        [sys.executable, "-m", "anime_dcgan.studio", *argv], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    line = server.stderr.readline()
    match = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert match is not None, line + server.stderr.read()
    return server, int(match[1])


def measure(pid: int, port: int, seconds: float, clients: int) -> None:
    request = Client(port)
    request(f"/api/wall.png?{FACE}&seed=0&count=64")  # loads the generator
    request(f"/api/directions?{FACE}&method=sefa")
    wall = median(lambda n: request(f"/api/wall.png?{FACE}&seed={64 * n}&count=64"))
    first = median(lambda n: request(f"/api/wall.png?{FACE}&seed={10_000 + 16 * n}&count=16"))
    prefetched = median(lambda n: sum(request(path) for path in wall_requests(64 * ROUNDS)))
    print(f"a wall of 64 new faces      {1000 * wall:7.0f} ms, the first 16 {1000 * first:.0f} ms")
    print(f"a prefetched wall           {1000 * prefetched:7.0f} ms")
    face = median(lambda n: request(f"/api/face.png?{FACE}&seed=7&moves=sefa.0:{n / 10}"))
    print(f"a face moved by a slider    {1000 * face:7.0f} ms, {1 / face:.0f} per second")
    load, before = Load(), memory("VmRSS", pid)
    peak = run_load(pid, port, seconds, clients, load)
    waits = sorted(load.waits)
    results = f"{len(waits):,} responses, {len(load.failures)} failures"
    print(f"{clients} clients for {seconds:.0f} s: {results}")
    print(f"  waiting: median {waits[len(waits) // 2]:.2f} s, max {waits[-1]:.2f} s")
    print(f"  memory of the server: {before:.0f} MB before, {peak:.0f} MB at its peak")
    for reason in load.failures[:3]:
        print(f"  failure: {reason}")
    print(machine())


def wall_requests(seed: int) -> list[str]:
    """Return the requests of the page for a wall."""
    seeds = range(seed, seed + 64, 16)
    return [f"/api/wall.png?{FACE}&seed={first}&count=16&columns=8" for first in seeds]


class Client:
    """HTTP client with one persistent connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def __call__(self, path: str) -> float:
        """Request a path and return the response time in seconds."""
        start = time.perf_counter()
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        content = response.read()
        assert response.status == 200 and content, (response.status, content[:200])
        return time.perf_counter() - start


def median(request: Callable[[int], float]) -> float:
    return statistics.median(request(number) for number in range(1, ROUNDS + 1))


def run_load(pid: int, port: int, seconds: float, clients: int, load: Load) -> float:
    """Run the clients and return the peak memory of the server, in MB."""
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=run_client, args=(number, port, end, load))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    peak = 0.0
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, memory("VmRSS", pid))
        time.sleep(0.1)
    return peak


def run_client(number: int, port: int, end: float, load: Load) -> None:
    """Request walls and faces in turn, none of them twice."""
    turn, request = 0, Client(port)
    while time.monotonic() < end:
        turn += 1
        seed = 1_000_000 * (number + 1) + 64 * turn
        path = f"/api/wall.png?{FACE}&seed={seed}&count=64"
        if turn % 2:
            path = f"/api/face.png?{FACE}&seed={seed}&truncation=0.9"
        try:
            load.waits.append(request(path))
        except (AssertionError, OSError, http.client.HTTPException) as error:
            load.failures.append(str(error))
            request = Client(port)


if __name__ == "__main__":
    main()
