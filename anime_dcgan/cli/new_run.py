"""A new folder for each command that trains and names no run."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from anime_dcgan.cli.overrides import OUTPUTS, names_run, shows_info
from anime_dcgan.system.console import is_first_process

TIME_FORMAT = "%Y-%m-%d_%H-%M-%S"
SWEEP_RECORD = "multirun.yaml"


@contextlib.contextmanager
def new_run() -> Iterator[None]:
    """Append `run=...` with a new folder's name to the command line, unless it names a run.

    Commands that start in the same second get a folder each. It is deleted if the command trains
    nothing in it.
    """
    argv = sys.argv[1:]
    if names_run(argv) or shows_info(argv) or not is_first_process():
        yield
        return
    folder = _make_folder()
    sys.argv.append(f"run={folder.name}")
    try:
        yield
    finally:
        _remove_unused(folder)


def _make_folder() -> Path:
    name, number = time.strftime(TIME_FORMAT), 1
    while True:
        folder = OUTPUTS / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def _remove_unused(folder: Path) -> None:
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir()] == [SWEEP_RECORD]:  # Hydra writes it first
            (folder / SWEEP_RECORD).unlink()
        folder.rmdir()
