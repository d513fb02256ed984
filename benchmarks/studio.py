"""The studio under one visitor and under 64: a wall, a slider, a minute of everybody at once.

    python -m benchmarks.studio [seconds of the crowd, default 60] [clients, default 64]

The report's generator (64 px, not trained: the arithmetic is the same) is served by the command as
users start it. Printed are the medians of a wall of 64 new faces, of its first 16 (the page asks
for so many at a time), of one that was drawn ahead (as the page does while nobody waits), and of a
face that is moved along a direction, each over HTTP; then what a crowd of clients gets, of which
each asks for a new wall or a new face as soon as it has the last one: answers, losses, waiting
times, and the memory of the server before and at its highest.
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
class Crowd:
    """What happened to the requests of all clients."""

    waits: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def main() -> None:
    seconds, clients = (float(word) for word in (*sys.argv[1:], *("60", "64")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as place:
        outputs = make_run(Path(place) / "outputs")
        server, port = start(outputs)
        try:
            measure(server.pid, port, seconds, int(clients))
        finally:
            server.terminate()
            server.wait()


def make_run(outputs: Path) -> Path:
    """A run with one checkpoint of the report's generator."""
    torch.manual_seed(0)
    state = Generator().state_dict()
    contents = {
        "state_dict": {f"generator_ema.{name}": value for name, value in state.items()},
        "config": {"model": {"generator": {"_target_": "anime_dcgan.model.dcgan.Generator"}}},
        **{"images_seen": 0, "epoch": 0},
    }
    (outputs / "a" / "checkpoints").mkdir(parents=True)
    torch.save(contents, outputs / "a" / "checkpoints" / "epoch=0001.ckpt")
    return outputs


def start(outputs: Path) -> tuple[subprocess.Popen[str], int]:
    words = [f"outputs={outputs}", "port=0", "browser=false"]
    server = subprocess.Popen(
        [sys.executable, "-m", "anime_dcgan.studio", *words], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    said = server.stderr.readline()
    match = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
    assert match is not None, said + server.stderr.read()
    return server, int(match[1])


def measure(pid: int, port: int, seconds: float, clients: int) -> None:
    ask = Asking(port)
    ask(f"/api/wall.png?{FACE}&seed=0&count=64")  # loads the generator
    ask(f"/api/directions?{FACE}&method=sefa")
    wall = median(lambda n: ask(f"/api/wall.png?{FACE}&seed={64 * n}&count=64"))
    first = median(lambda n: ask(f"/api/wall.png?{FACE}&seed={10_000 + 16 * n}&count=16"))
    ahead = median(lambda n: sum(ask(address) for address in sixteens(64 * ROUNDS)))
    print(f"a wall of 64 new faces      {1000 * wall:7.0f} ms, the first 16 {1000 * first:.0f} ms")
    print(f"a wall that was drawn ahead {1000 * ahead:7.0f} ms")
    face = median(lambda n: ask(f"/api/face.png?{FACE}&seed=7&moves=sefa.0:{n / 10}"))
    print(f"a face moved by a slider    {1000 * face:7.0f} ms, {1 / face:.0f} in a second")
    crowd, before = Crowd(), memory("VmRSS", pid)
    highest = run_crowd(pid, port, seconds, clients, crowd)
    waits = sorted(crowd.waits)
    print(f"{clients} clients for {seconds:.0f} s: {len(waits):,} answers, {len(crowd.lost)} lost")
    print(f"  waiting: median {waits[len(waits) // 2]:.2f} s, longest {waits[-1]:.2f} s")
    print(f"  memory of the server: {before:.0f} MB before, {highest:.0f} MB at its highest")
    for reason in crowd.lost[:3]:
        print(f"  lost: {reason}")
    print(machine())


def sixteens(seed: int) -> list[str]:
    """A wall as the page asks for it."""
    seeds = range(seed, seed + 64, 16)
    return [f"/api/wall.png?{FACE}&seed={first}&count=16&columns=8" for first in seeds]


class Asking:
    """One connection that asks again and again."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def __call__(self, path: str) -> float:
        """How long the answer took, seconds."""
        start = time.perf_counter()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status == 200 and content, (answer.status, content[:200])
        return time.perf_counter() - start


def median(ask: Callable[[int], float]) -> float:
    return statistics.median(ask(number) for number in range(1, ROUNDS + 1))


def run_crowd(pid: int, port: int, seconds: float, clients: int, crowd: Crowd) -> float:
    """The highest memory of the server meanwhile, MB."""
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=one_client, args=(number, port, end, crowd))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    highest = 0.0
    while any(thread.is_alive() for thread in threads):
        highest = max(highest, memory("VmRSS", pid))
        time.sleep(0.1)
    return highest


def one_client(number: int, port: int, end: float, crowd: Crowd) -> None:
    """Walls and faces in turn, each asked for once in the world."""
    turn, ask = 0, Asking(port)
    while time.monotonic() < end:
        turn += 1
        seed = 1_000_000 * (number + 1) + 64 * turn
        path = f"/api/wall.png?{FACE}&seed={seed}&count=64"
        if turn % 2:
            path = f"/api/face.png?{FACE}&seed={seed}&truncation=0.9"
        try:
            crowd.waits.append(ask(path))
        except (AssertionError, OSError, http.client.HTTPException) as error:
            crowd.lost.append(str(error))
            ask = Asking(port)


if __name__ == "__main__":
    main()
