"""Folders of a process's own, and what is left of those of processes that were killed."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

ABANDONED_SECONDS = 24 * 3600
"""What another machine's process has not changed for so long is taken for dead."""


def owned_name(kind: str) -> str:
    """A name for a file or folder of this process alone, which tells whose it is."""
    return f"{kind}-{os.getpid()}-{_host()}-{secrets.token_hex(4)}"


def remove_abandoned(place: Path, kind: str) -> None:
    """Delete what processes left at `place` that did not end: theirs is gone, or was another
    machine's and has been silent for long."""
    for path in place.glob(f"{kind}-*-*-*"):
        if _is_dead(path):
            remove(path)


def remove(path: Path) -> None:
    """As much of a file or folder as the system lets go of."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _is_dead(path: Path) -> bool:
    _, pid, host = path.name.split("-")[:3]
    if host == _host() and os.name == "posix" and pid.isdecimal():
        return int(pid) == os.getpid() or not _is_running(int(pid))
    try:
        changed = max(each.stat().st_mtime for each in (path, *path.iterdir()))
    except OSError:
        return False
    return time.time() - changed > ABANDONED_SECONDS


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _host() -> str:
    """This machine's name, fit for a part of a file name."""
    return re.sub(r"\W+", "_", socket.gethostname()) or "host"
