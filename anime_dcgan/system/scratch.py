"""Names of temporary files that one process owns, and removal of abandoned ones."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

ABANDONED_SECONDS = 24 * 3600
"""Age after which an unchanged file of another machine's process counts as abandoned."""


def owned_name(kind: str) -> str:
    """Return a unique file name that records the process and host that own it."""
    return f"{kind}-{os.getpid()}-{_host()}-{secrets.token_hex(4)}"


def remove_abandoned(folder: Path, kind: str) -> None:
    """Delete files of `kind` in `folder` that killed processes left.

    Owners on this host are looked up by process id. Files of other hosts count as abandoned if they
    have not changed for a day.
    """
    for path in folder.glob(f"{kind}-*-*-*"):
        if _is_dead(path):
            remove(path)


def remove(path: Path) -> None:
    """Delete a file or folder as far as permitted; never raises OSError."""
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
        changed = max(entry.stat().st_mtime for entry in (path, *path.iterdir()))
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
    """Return this machine's name in characters that file names may have."""
    return re.sub(r"\W+", "_", socket.gethostname()) or "host"
