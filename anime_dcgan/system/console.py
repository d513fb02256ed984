"""Messages to the user, on standard error; results go to standard output."""

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def replace_unprintable() -> None:
    """Let the output replace characters that its encoding lacks, such as cp1252 or ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def is_first_process() -> bool:
    """Return True in the one process of a distributed run that prints and writes."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def log(message: str) -> None:
    """Print a line to standard error, from the first process of a distributed run only."""
    if is_first_process():
        print(message, file=sys.stderr, flush=True)


def table_console() -> "Console":
    """Return a console for tables, as wide as the terminal, or 160 columns without one."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)
