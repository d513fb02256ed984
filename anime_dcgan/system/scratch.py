"""Names of temporary files that one process owns, and removal of abandoned ones."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
from pathlib import Path

ABANDONED_SECONDS = 24 * 3600
"""Age after which an unchanged file of another machine's process counts as abandoned."""


def owned_name(kind: str) -> str:
    """Return a unique file name that records the process and host that own it."""
    return f"{kind}-{os.getpid()}-{_host()}-{secrets.token_hex(4)}"


def remove_abandoned(folder: Path, kind: str, recursive: bool = False) -> None:
    """Delete files of `kind` in `folder`, and below it, that killed processes left.

    Owners on this host are looked up by process id. Files of other hosts count as abandoned if they
    have not changed for a day.
    """
    pattern = f"{kind}-*-*-*"
    for path in list(folder.rglob(pattern) if recursive else folder.glob(pattern)):
        if _is_dead(path):
            remove(path)


def temporary_prefix(kind: str) -> str:
    """Return a prefix for names that `tempfile` makes; delete those that killed processes left."""
    remove_abandoned(Path(tempfile.gettempdir()), kind)
    return f"{owned_name(kind)}-"


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
        contents = path.iterdir() if path.is_dir() else ()
        changed = max(entry.stat().st_mtime for entry in (path, *contents))
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
