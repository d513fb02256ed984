"""Waiting for another thread or process."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T | None],
    seconds: float = 60.0,
    process: subprocess.Popen[str] | subprocess.Popen[bytes] | None = None,
) -> T:
    """Return the first true value of `condition()`, which is called repeatedly.

    Raises AssertionError after `seconds`, or if `process` ends before.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert process is None or process.poll() is None, "the process has ended"
        assert time.monotonic() < deadline, f"nothing happened within {seconds:g} s"
        time.sleep(0.02)
    return value
