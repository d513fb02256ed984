"""Messages to the user, on standard error; results go to standard output."""

import contextlib
import io
import logging
import os
import stat
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

BIDIRECTIONAL = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
ESCAPES = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *BIDIRECTIONAL)
    if chr(code) not in "\t\n"
}
"""How control characters are shown, by code: a terminal would act on them, or reorder the line."""
RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK")
"""Variables with the number of a process, set by torchrun, srun and Lightning."""


def prepare_encodings() -> None:
    """Let this process use any file name, and print what its output's encoding lacks as `?`.

    Where the encoding of file names is ASCII, the process is replaced by one in UTF-8 mode: Python
    would not open a file whose name it read from a run's configuration.
    """
    if sys.getfilesystemencoding() == "ascii":
        os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONUTF8": "1"})
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def leave_closed_terminal(outputs: Iterable[int] = (1, 2)) -> None:
    """Discard what is written to a terminal that was closed: it would raise OSError.

    Parameters:
        outputs: file descriptors; those of files, pipes and open terminals stay as they are.
    """
    for output in outputs:
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(output).st_mode) and not os.isatty(output):
                with Path(os.devnull).open("wb") as discarded:
                    os.dup2(discarded.fileno(), output)


def is_first_process() -> bool:
    """Return True in the one process of a distributed run that locks, prints and writes."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def launched_processes() -> int:
    """Return how many processes torchrun or srun started as one training; 1 without them."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ.get("WORLD_SIZE", "1"))
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))


def printable(text: str) -> str:
    """Return text with its control characters escaped, except for tabs and line breaks.

    All text that leaves for a terminal passes here, because names and files may be a stranger's.

    >>> printable("red\\x1b[31m")
    'red\\\\x1b[31m'
    """
    return text.translate(ESCAPES)


def log(message: str) -> None:
    """Print a message to standard error, from the first process of a distributed run only."""
    if is_first_process():
        print(printable(message), file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet(logger: str) -> Iterator[None]:
    """Silence Python's warnings and what a library logs below an error, in the block."""
    silenced = logging.getLogger(logger)
    level = silenced.level
    silenced.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        silenced.setLevel(level)


def show(result: str) -> None:
    """Print a result to standard output."""
    print(printable(result))
