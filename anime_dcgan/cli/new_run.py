"""A new folder for each command that trains and names no run."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from anime_dcgan.cli.command import fail
from anime_dcgan.cli.overrides import OUTPUTS, names_run, shows_info
from anime_dcgan.system.console import is_first_process
from anime_dcgan.system.errors import reason_of

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
    """Make a folder; exit with an error if it cannot be made."""
    name, number = time.strftime(TIME_FORMAT), 1
    while True:
        folder = OUTPUTS / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            fail(
                f"{OUTPUTS.absolute()} cannot be written ({reason_of(error)}): start in another "
                "folder, or use hydra.run.dir=..."
            )


def _remove_unused(folder: Path) -> None:
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir()] == [SWEEP_RECORD]:  # Hydra writes it first
            (folder / SWEEP_RECORD).unlink()
        folder.rmdir()
