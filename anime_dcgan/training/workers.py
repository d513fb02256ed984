"""Several processes of one command, as the workers of a search."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from anime_dcgan.system.signals import caught_signals

WORKER = "ANIME_DCGAN_WORKER"
"""Environment variable of a worker, with its number."""


def is_worker() -> bool:
    """Return True if this process was started by `run_workers`."""
    return WORKER in os.environ


def run_workers(command: list[str], count: int) -> tuple[list[int], bool]:
    """Run `count` processes of a command, and print the lines of each with its number.

    Signals that end a training are passed on to the processes. They do not reach them directly:
    a second one would end a training before it is saved.

    Returns:
        The exit statuses, and whether a signal was passed on.
    """
    workers = [_start(command, number) for number in range(1, count + 1)]
    threads = [
        threading.Thread(target=_print_lines, args=(number, worker))
        for number, worker in enumerate(workers, 1)
    ]
    for thread in threads:
        thread.start()
    with _passing_signals_on(workers) as passed:
        statuses = [worker.wait() for worker in workers]
    for thread in threads:
        thread.join()
    return statuses, bool(passed)


def _start(command: list[str], number: int) -> subprocess.Popen[str]:
    environment = {**os.environ, WORKER: str(number), "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _print_lines(number: int, worker: subprocess.Popen[str]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.strip():
            print(f"{number}: {line.rstrip()}", file=sys.stderr, flush=True)


@contextmanager
def _passing_signals_on(workers: list[subprocess.Popen[str]]) -> Iterator[list[int]]:
    """Yield a list of the signals that were passed on."""
    passed: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        passed.append(number)
        for worker in workers:
            worker.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in caught_signals()}
    try:
        yield passed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
