"""The one exception for mistakes that a user can mend."""


class UserError(ValueError):
    """What arrived, why it cannot work, and the override that mends it, in one or two lines.

    The commands print it without a traceback and exit with status 2; any other exception is a
    bug of ours and keeps its traceback.
    """
