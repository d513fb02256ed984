"""Train one run in its folder, and record its command, configuration, report or failure there.

Lightning and torch are imported when the training starts, not with this module.
"""

import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.command import instantiate, user_message
from anime_dcgan.cli.overrides import RECORD, command_line, split_options
from anime_dcgan.run.origin import Origin, write_origin
from anime_dcgan.run.outcome import best_distance, write_failure, write_missing
from anime_dcgan.run.settings import CONFIG, check_resumable, check_same_faces, read_settings
from anime_dcgan.system.console import is_first_process
from anime_dcgan.system.errors import RefusedFileError, UserError, describe, explain_os_error
from anime_dcgan.system.files import open_to_append, remove_abandoned_partials, try_lock, write_text
from anime_dcgan.system.reader import is_regular
from anime_dcgan.training.outputs import Incomplete, Outputs

if TYPE_CHECKING:
    from lightning import Callback

    from anime_dcgan.data.datamodule import FacesDataModule

LOCK = ".lock"  # held by the process that trains in the folder
SWEEP_JOB = "ANIME_DCGAN_SWEEP_JOB"
"""Environment variable of a command that trains for a sweep, and records why it failed."""


class FolderInUseError(UserError):
    """Another command is training in the folder."""


def last_checkpoint(run_dir: Path) -> Path | None:
    """Return the checkpoint to resume the run from, if there is one."""
    path = run_dir / "checkpoints" / "last.ckpt"
    return path if path.exists() else None


def train_in(
    run_dir: Path,
    config: DictConfig,
    argv: list[str],
    ckpt_path: Path | str | None,
    callbacks: Sequence["Callback"] = (),
) -> float:
    """Train in a folder that is locked by `exclusive`, and return the best distance.

    Until the training begins, no file of an earlier run in this folder is changed. Raises as `fit`
    does; a report that cannot be written makes a run `Incomplete` too.

    Parameters:
        argv: overrides that start this run, for its `command.txt`.
        callbacks: callbacks in addition to those of the configuration.
    """
    from anime_dcgan.training.callbacks.provenance import RecordStart
    from anime_dcgan.training.fit import Interrupted, Unfinished, fit, make_data

    # the names of the classes are among the settings that must be the same
    data = make_data(config) if config.data.labels is not None else None
    if is_first_process() and ckpt_path is not None and ckpt_path == last_checkpoint(run_dir):
        check_same_run(run_dir, config)
    missing: list[str] = []
    start = RecordStart(lambda origin: _record_start(run_dir, config, argv, origin))
    try:
        fit(config, run_dir, ckpt_path, [start, *callbacks], data)
    except Interrupted:
        raise
    except Unfinished as end:
        if is_first_process():
            end.missing += write_report_or_log(run_dir)
        raise
    except Incomplete as end:
        missing = end.missing
    except Exception as error:
        if is_first_process() and (start.has_started or SWEEP_JOB in os.environ):
            record_failure(run_dir, error)
        raise
    if is_first_process():
        start.record()  # of a run that needed no more training
        missing += write_report_or_log(run_dir)
    if missing:
        write_missing(run_dir, missing)
        raise Incomplete(missing)
    return best_distance(run_dir)


@contextmanager
def exclusive(run_dir: Path) -> Iterator[None]:
    """Lock the folder; raise `FolderInUseError` if another command is training in it.

    If nothing was written there in the end, the folder is deleted, unless Ctrl-C ended a command
    whose overrides are recorded: `ckpt_path=last` begins that one again.
    """
    if not is_first_process():
        yield
        return
    with ExitStack() as stack:
        mark_start(run_dir)
        with writing_to(run_dir):
            locked = stack.enter_context(try_lock(run_dir / LOCK))
        if not locked:
            raise FolderInUseError(
                f"{run_dir} is being trained by another command: wait for it, or choose another "
                "run=..."
            )
        remove_abandoned_partials(run_dir)
        interrupted = False
        try:
            yield
        except KeyboardInterrupt:
            interrupted = True
            raise
        finally:
            if not (interrupted and is_regular(run_dir / RECORD)):
                _remove_unused(run_dir)


def mark_start(run_dir: Path) -> None:
    """Set the time of the folder's lock file: a command begins with this run."""
    with writing_to(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / LOCK).touch()


def _remove_unused(run_dir: Path) -> None:
    record = run_dir / RECORD
    with suppress(OSError):  # another command has begun, or the folder was deleted meanwhile
        if {path.name for path in run_dir.iterdir()} <= {LOCK, record.parent.name}:
            record.unlink(missing_ok=True)
            if record.parent.exists():
                record.parent.rmdir()
            (run_dir / LOCK).unlink(missing_ok=True)
            run_dir.rmdir()


def check_same_run(run_dir: Path, config: DictConfig) -> None:
    """Raise `UserError` if the folder's run was trained with other settings."""
    try:
        before = read_settings(run_dir)
    except (FileNotFoundError, RefusedFileError):
        return  # the checkpoint has the settings too
    now: Any = OmegaConf.to_container(config, resolve=True)
    if {"model", "gan"} <= before.keys():
        check_resumable(before, now)


def check_same_data(run_dir: Path, config: DictConfig) -> None:
    """Raise `UserError` if a finished run was trained on other faces than the data are now."""
    from anime_dcgan.run import checkpoint

    last = last_checkpoint(run_dir)
    try:
        data: FacesDataModule = instantiate(config.datamodule)
        data.setup()
    except UserError:
        return  # the faces no longer exist
    if last is not None:
        check_same_faces(checkpoint.faces_of(checkpoint.read(last)), data.faces.fingerprint())


def record_failure(run_dir: Path, error: Exception) -> str:
    """Record why a run failed, and return the reason in one line."""
    explanation = user_message(error)
    message = explanation or describe(error)
    trace = None if explanation else "".join(traceback.format_exception(error))
    write_failure(run_dir, message, trace)
    return message


def _record_start(
    run_dir: Path, config: DictConfig, argv: list[str], origin: Origin | None
) -> None:
    record_settings(run_dir, config, argv)
    with writing_to(run_dir):
        write_origin(run_dir, origin)
    with writing_to(run_dir), open_to_append(run_dir / "command.txt") as file:
        file.write(f"{command_line(argv, interpreter='python')}\n".encode(errors="replace"))


def record_settings(run_dir: Path, config: DictConfig, argv: list[str]) -> None:
    """Write the resolved configuration and the overrides."""
    with writing_to(run_dir):
        write_text(run_dir / CONFIG, OmegaConf.to_yaml(config, resolve=True))
    record_overrides(run_dir, argv)


def record_overrides(run_dir: Path, argv: list[str]) -> None:
    """Write the overrides, by which `ckpt_path=last` finds the run."""
    with writing_to(run_dir):
        write_text(run_dir / RECORD, OmegaConf.to_yaml(split_options(argv)[1]))


def writing_to(run_dir: Path) -> AbstractContextManager[None]:
    """Raise `UserError` if the folder cannot be written to."""
    return explain_os_error(f"{run_dir} cannot be written to", "use another run=...")


def write_report_or_log(run_dir: Path) -> list[str]:
    """Write `report.html`; if that fails, log why, and return the file and the reason."""
    from anime_dcgan.page.report import render_report

    outputs, path = Outputs(), run_dir / "report.html"
    outputs.attempt(path, lambda: write_text(path, render_report(run_dir)[0]), consequence="")
    return outputs.missing
