"""What the commands say to a person, on standard error; results go to standard output."""

import os
import sys


def is_first_process() -> bool:
    """Whether this is the one of the processes of a distributed run that speaks."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def log(message: str) -> None:
    """Print a line, once in a distributed run."""
    if is_first_process():
        print(message, file=sys.stderr, flush=True)
