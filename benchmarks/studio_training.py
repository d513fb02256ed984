"""Speed of the studio and of a training next to each other, as parts of their speeds alone.

    python -m benchmarks.studio_training [seconds=30] [rounds=1] [OVERRIDE ...]

The training is `experiment=quickstart` with `trainer.threads=auto`. One visitor of the studio
requests walls of 64 new faces, one after the other, from the report's generator (64 px). Other
arguments are overrides of `train`.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measure import alternate, in_new_process, machine, parse_options, ratio
from benchmarks.studio import FACE, Client, make_run, start
from benchmarks.threads import running, train


class Visitor:
    """Requests new walls until it is stopped."""

    def __init__(self, port: int) -> None:
        self.faces, self._stopped = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, args=(port,))

    def _look(self, port: int) -> None:
        request = Client(port)
        seed = 0
        while not self._stopped.is_set():
            seed += 64
            request(f"/api/wall.png?{FACE}&seed={seed}&count=64")
            self.faces += 64

    def __enter__(self) -> "Visitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()


@contextmanager
def studio() -> Iterator[int]:
    """Serve the studio, and yield its port."""
    with tempfile.TemporaryDirectory() as temporary:
        server, port = start(make_run(Path(temporary) / "outputs"))
        try:
            yield port
        finally:
            server.terminate()
            server.wait()


def draw(seconds: float) -> float:
    """Return the faces per second of one visitor."""
    with studio() as port, Visitor(port) as visitor:
        time.sleep(seconds / 4)  # until the number of threads is chosen
        before, started = visitor.faces, time.perf_counter()
        time.sleep(seconds)
        return (visitor.faces - before) / (time.perf_counter() - started)


def main() -> None:
    own, overrides = parse_options({"seconds": "30", "rounds": "1"}, sys.argv[1:])
    seconds = float(own["seconds"])
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as cache:

        def train_alone() -> float:
            return in_new_process(train, overrides, seconds, cache)

        def train_beside_studio() -> float:
            with studio() as port, Visitor(port):
                return train_alone()

        def draw_beside_training() -> float:
            with running(partial(train, overrides, 1e9, cache)):
                return draw(seconds)

        in_new_process(train, overrides, 1.0, cache)  # decodes the faces
        sides = {"alone": train_alone, "beside the studio": train_beside_studio}
        alone, beside = alternate(sides, int(own["rounds"]), "images/s").values()
        print(f"training: {ratio(beside, alone):.2f} of its speed alone", flush=True)
        sides = {"alone": partial(draw, seconds), "beside a training": draw_beside_training}
        alone, beside = alternate(sides, int(own["rounds"]), "faces/s").values()
        print(f"studio: {ratio(beside, alone):.2f} of its speed alone")


if __name__ == "__main__":
    main()
