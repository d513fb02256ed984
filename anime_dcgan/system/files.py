"""Files get their name when they are whole; what is no more than useful may fail in a line."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from anime_dcgan.system.console import log

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


@contextlib.contextmanager
def atomic_write(path: Path, shared: bool = True) -> Iterator[Path]:
    """A file to write beside `path`, whose place it takes at the end of the block.

    A crash or a full disk leaves what was there. `OSError` if so. Where `path` is not shared with
    other writers, what a killed process left of a large file is written over by the next one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = f".{os.getpid()}.{threading.get_ident()}" if shared else ""
    partial = path.with_name(f".{path.name}{writer}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace what is at `path`, as `replacing`."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Whether this process alone has the file `path`, until the end of the block or of the process.

    Where the system has no such locks, every process has it.
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
    """As `write_text`."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def sync(path: Path) -> None:
    """The file or folder to the disk itself, where the system can.

    A rename after it cannot outlive what it names in a power cut.
    """
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_or_warn(write: Callable[[], None], path: Path, consequence: str = "") -> None:
    """Say it in a line where `path` cannot be written, with what follows from that."""
    try:
        write()
    except OSError as error:
        log(f"{path} could not be written ({error}){'; ' if consequence else ''}{consequence}")


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where it is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def read_list(path: Path, name: str) -> list[dict[str, Any]]:
    """The objects listed as `name` in a JSON file; none where it is absent or damaged."""
    try:
        return list(read_object(path)[name])
    except (KeyError, TypeError):
        return []
