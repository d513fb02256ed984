"""Atomic writes, appending, and locks."""

import contextlib
import errno
import functools
import json
import operator
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from anime_dcgan.system import scratch
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import RefusedFileError, reason_of

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


PARTIAL = ".partial"
"""First part of the names of files that are being written."""

DISK_ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
"""Errors of a flush that lost data. With any other, the file system does not flush folders."""

TAKEN = (errno.EEXIST, errno.ENOTEMPTY)

_cleared: set[Path] = set()
_clearing = threading.Lock()


@contextlib.contextmanager
def atomic_write(path: Path, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` on exit. Raises OSError.

    The block makes the sibling a file or a folder. It has the same extension, by which image and
    video libraries choose the format, and a name of its own, so that of several processes the last
    one to finish wins with all of its content. A crash or a full disk leaves the previous file.
    With `replace=False`, raises `FileExistsError` if `path` exists on exit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned_once(path.parent)
    partial = _partial_name(path)
    try:
        yield partial
        if not replace and os.path.lexists(path):
            raise _exists(path)
        if partial.is_dir() and not path.is_file():
            _move_folder(partial, path, replace)
        else:
            partial.replace(path)
    finally:
        scratch.remove(partial)


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Call `write` with a temporary sibling of `path`, then rename it. Raises OSError."""
    with atomic_write(path) as partial:
        write(partial)


def remove_abandoned_partials(folder: Path) -> None:
    """Delete what killed processes left of their atomic writes in a folder and below it."""
    scratch.remove_abandoned(folder, PARTIAL, recursive=True)


def _partial_name(path: Path) -> Path:
    return path.with_name(scratch.owned_name(PARTIAL) + path.suffix)


def _remove_abandoned_once(folder: Path) -> None:
    """Delete the partial files of killed processes before the first write into the folder."""
    with _clearing:
        if folder.absolute() not in _cleared:
            scratch.remove_abandoned(folder, PARTIAL)
            _cleared.add(folder.absolute())


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _move_folder(new: Path, path: Path, replace: bool) -> None:
    """Rename a folder to `path`, where other processes may put theirs at the same time."""
    old = _partial_name(path)
    while True:
        try:
            if replace:
                with contextlib.suppress(FileNotFoundError):
                    path.rename(old)
            new.rename(path)
            break
        except OSError as error:
            if error.errno not in TAKEN:
                with contextlib.suppress(OSError):
                    old.rename(path)
                raise
            if not replace:
                raise _exists(path) from None
            scratch.remove(old)
    scratch.remove(old)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises OSError."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Yield True if this process holds the lock `path`, until the block or the process ends.

    Without locks in the operating or file system, every process gets True.
    """
    with open_to_append(path) as file:
        yield _lock(file)


@contextlib.contextmanager
def wait_for_lock(path: Path) -> Iterator[None]:
    """Hold the lock `path` until the block or the process ends, after others have released it.

    Without locks in the operating or file system, nobody waits.
    """
    with open_to_append(path) as file:
        _lock(file, wait=True)
        yield


def open_to_append(path: Path) -> BinaryIO:
    """Open a regular file to read it and to append to it; create it if necessary. Raises OSError.

    A link is not followed, and a named pipe not waited for: others may have made the folder.
    """
    wanted = ("O_RDWR", "O_APPEND", "O_CREAT", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
    flags = functools.reduce(operator.or_, (getattr(os, name, 0) for name in wanted))
    file = os.fdopen(os.open(path, flags, 0o666), "ab+")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def _lock(file: BinaryIO, wait: bool = False) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
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

    Called before a rename, it keeps a power cut from leaving a name without its content. Network
    drives that cannot flush a folder are used without. Raises OSError.
    """
    if os.name == "posix":
        try:
            _sync(path)
        except OSError as error:
            if not path.is_dir() or error.errno in DISK_ERRORS:
                raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_or_warn(write: Callable[[], None], path: Path, consequence: str = "") -> None:
    """Call `write`; if `path` cannot be written, log the reason and the consequence instead."""
    try:
        write()
    except (OSError, RefusedFileError) as error:
        message = f"{path} cannot be written ({reason_of(error)})"
        log(f"{message}; {consequence}" if consequence else message)
