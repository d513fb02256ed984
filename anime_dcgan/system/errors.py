"""The one exception for mistakes that a user can mend, and what other errors say in a line."""


class UserError(ValueError):
    """What arrived, why it cannot work, and the override that mends it, in one or two lines.

    The commands print it without a traceback and exit with status 2; any other exception is a
    bug of ours and keeps its traceback.
    """


class NotFoundError(UserError):
    """A run, checkpoint or record that was asked for does not exist, or no longer does."""


def first_line(error: BaseException) -> str:
    """What an error says first; its kind, where it says nothing.

    >>> first_line(OSError("no room\\nat all")), first_line(EOFError())
    ('no room', 'EOFError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]
