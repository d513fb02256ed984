"""`UserError` for mistakes that a user can fix, and one-line descriptions of other errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
BAD_PATH = (errno.EIO, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ESTALE)
STORAGE_FIXES = {
    **dict.fromkeys(ACCESS, "give yourself access to it, or use another folder"),
    **dict.fromkeys(DISK_FULL, "free some space there, or use another folder"),
    **dict.fromkeys(BAD_PATH, "check this path"),
}
"""Fixes for file system errors, by errno; an error with any other errno may be a bug."""


class UserError(ValueError):
    """A mistake that the user can fix.

    The message states in one or two lines what was received, why it cannot work, and the override
    that fixes it. The commands print it without a traceback and exit with status 2; any other
    exception is a bug of this package and keeps its traceback.
    """


class NotFoundError(UserError):
    """A requested run, checkpoint or record does not exist, or no longer does."""


class ReportedError(UserError):
    """An error that another process of a distributed training has printed."""


def needs_extra(subject: str, extra: str, alternative: str = "") -> UserError:
    """Return the error for a package that only an extra of this project installs.

    >>> print(needs_extra("metric=fid", "fid", "use metric=swd"))
    metric=fid needs another package: pip install -e ".[fid]", or use metric=swd
    """
    other = alternative and f", or {alternative}"
    return UserError(f'{subject} needs another package: pip install -e ".[{extra}]"{other}')


class RefusedFileError(UserError):
    """A file that cannot be read, or that holds something else than this package writes."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} cannot be read: {self.reason}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class if it has none.

    >>> first_line(OSError("no room\\nat all")), first_line(EOFError())
    ('no room', 'EOFError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def reason_of(error: BaseException) -> str:
    """Return why something failed: the reason of an error of a file, else the first line.

    >>> reason_of(PermissionError(13, "Permission denied", "a.png")), reason_of(MemoryError())
    ('Permission denied', 'MemoryError')
    """
    if isinstance(error, RefusedFileError):
        return error.reason
    return getattr(error, "strerror", None) or first_line(error)


def describe(error: BaseException) -> str:
    """Return the class of an error, and the first line of its message if it has one.

    >>> describe(KeyError("a")), describe(EOFError())
    ("KeyError: 'a'", 'EOFError')
    """
    name, line = type(error).__name__, first_line(error)
    return name if line == name else f"{name}: {line}"


def explain_storage_error(error: Exception) -> str | None:
    """Return one line for a file or folder that cannot be used; None for any other error."""
    if not isinstance(error, OSError) or error.filename is None or error.errno is None:
        return None
    fix = STORAGE_FIXES.get(error.errno)
    return fix and f"{error.filename} cannot be used ({error.strerror}): {fix}"


@contextmanager
def explain_os_error(problem: str, fix: str) -> Iterator[None]:
    """Raise errors of files in the block as `UserError`, "problem (the system's reason): fix".

    >>> with explain_os_error("out=a.png cannot be written", "use another out=..."):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    anime_dcgan.system.errors.UserError: out=a.png cannot be written (No space left on device): \
use another out=...
    """
    try:
        yield
    except (OSError, RefusedFileError) as error:
        raise UserError(f"{problem} ({reason_of(error)}): {fix}") from None
