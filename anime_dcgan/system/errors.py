"""`UserError` for mistakes that a user can fix, and one-line descriptions of other errors."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """A mistake that the user can fix.

    The message states in one or two lines what was received, why it cannot work, and the override
    that fixes it.
    The commands print it without a traceback and exit with status 2; any other exception is a bug
    of this package and keeps its traceback.
    """


class NotFoundError(UserError):
    """A requested run, checkpoint or record does not exist, or no longer does."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class if it has none.

    >>> first_line(OSError("no room\\nat all")), first_line(EOFError())
    ('no room', 'EOFError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def explain_os_error(problem: str, fix: str) -> Iterator[None]:
    """Raise an `OSError` of the block as `UserError`, "problem (the system's reason): fix".

    >>> with explain_os_error("out=a.png cannot be written", "use another out=..."):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    anime_dcgan.system.errors.UserError: out=a.png cannot be written (No space left on device): \
use another out=...
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{problem} ({error.strerror or first_line(error)}): {fix}") from None
