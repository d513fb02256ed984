"""Atomic writes, locks, and reading of files that may be damaged."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from anime_dcgan.system.console import log
from anime_dcgan.system.errors import reason_of

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


@contextlib.contextmanager
def atomic_write(path: Path, shared: bool = True) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it over `path` on exit. Raises OSError.

    The sibling has the same extension, by which image and video libraries choose the format.
    A crash or a full disk leaves the previous file. With `shared=False`, for large files with a
    single writer, the sibling's name is fixed, so that the next process overwrites what a killed
    one left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = f".{os.getpid()}.{threading.get_ident()}" if shared else ""
    partial = path.with_name(f".partial{writer}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises OSError."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Yield True if this process holds the lock `path`, until the block or the process ends.

    Without locks in the operating or file system, every process gets True.
    """
    with path.open("w") as file:
        yield _lock(file)


def _lock(file: IO[str]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically. Raises OSError."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def sync(path: Path) -> None:
    """Flush a file or folder to the disk, on POSIX.

    Called before a rename, it keeps a power cut from leaving a name without its content.
    """
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_or_warn(write: Callable[[], None], path: Path, consequence: str = "") -> None:
    """Call `write`; if `path` cannot be written, log the reason and the consequence instead."""
    try:
        write()
    except OSError as error:
        message = f"{path} cannot be written ({reason_of(error)})"
        log(f"{message}; {consequence}" if consequence else message)


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def read_list(path: Path, name: str) -> list[dict[str, Any]]:
    """Return the list `name` of a JSON file's object; empty if it is missing or damaged."""
    try:
        return list(read_object(path)[name])
    except (KeyError, TypeError):
        return []
