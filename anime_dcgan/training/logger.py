"""Lightning's loggers, except that a file they cannot write never ends a training."""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning import Trainer
from lightning.fabric.loggers.logger import _DummyExperiment as DummyExperiment
from lightning.pytorch import loggers
from tensorboard.compat import tf
from torch.utils.tensorboard import SummaryWriter

from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error, reason_of

PROBE_BYTES = 1 << 16


class Incomplete(UserError):
    """The training is finished and saved, but its logs have gaps."""


class _Persistent(loggers.Logger):
    """A logger that reports its first failure, and tries again with each call."""

    failure: str | None = None
    """The reason for a gap in the files."""

    _has_warned = False

    def attempt(self, write: Callable[[], object]) -> bool:
        """Call `write`; return False, and log the first time, if a file cannot be written."""
        try:
            write()
        except Exception as error:
            cause = _storage_error(error)
            if cause is None:
                raise
            self._fail(cause)
            return False
        return True

    def _fail(self, error: BaseException) -> None:
        self.failure = reason_of(error)
        if not self._has_warned:
            folder = Path(str(self.log_dir))
            log(
                f"{folder} cannot be written ({self.failure}); training continues and will try "
                "again"
            )
        self._has_warned = True

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.attempt(lambda: super(_Persistent, self).log_metrics(dict(metrics), step))

    def save(self) -> None:
        self.attempt(super().save)

    def finalize(self, status: str) -> None:
        self.attempt(lambda: super(_Persistent, self).finalize(status))


class CSVLogger(_Persistent, loggers.CSVLogger):
    """Lightning's logger, which keeps rows that cannot be written and writes them later."""

    @property
    def experiment(self) -> Any:
        """The writer; one without effect while there cannot be any."""
        return _experiment_of(self, lambda: super(CSVLogger, self).experiment)

    def save(self) -> None:
        if self._experiment is not None:
            self.failure = None
        super().save()


class TensorBoardLogger(_Persistent, loggers.TensorBoardLogger):
    """Lightning's logger, which opens another event file after one that cannot be written."""

    @property
    def experiment(self) -> Any:
        """The writer; one without effect while there cannot be any."""
        return _experiment_of(self, self._open)

    def write(self, write: Callable[[SummaryWriter], object]) -> bool:
        """Call `write` with the writer; return False if the file cannot be written."""
        return self.attempt(lambda: write(self._open()))

    def _open(self) -> Any:
        _silence_writer_threads()
        if self._experiment is None and self.failure is not None:
            _probe(Path(self.log_dir))
        return super().experiment

    def _fail(self, error: BaseException) -> None:
        super()._fail(error)
        writer, self._experiment = self._experiment, None
        if writer is not None and writer.file_writer is not None:
            with contextlib.suppress(OSError, tf.errors.OpError):
                writer.file_writer.event_writer.close()  # also ends the thread


def write_events(trainer: Trainer, write: Callable[[SummaryWriter], None]) -> None:
    """Call `write` with the writer of each TensorBoard logger."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.write(write)


def check_complete(trainer: Trainer) -> None:
    """Raise `Incomplete` if logs have gaps."""
    missing = [
        f"{Path(str(logger.log_dir))} ({logger.failure})"
        for logger in trainer.loggers
        if isinstance(logger, _Persistent) and logger.failure is not None
    ]
    if missing:
        raise Incomplete(
            f"the training is finished and saved, but logs have gaps: {', '.join(missing)}. "
            "free some space, or use logger=none: the report reads scalars.jsonl instead"
        )


def check_folder(logger: loggers.Logger) -> None:
    """Raise `UserError` if a logger cannot write: TensorBoard's thread would print a traceback."""
    if folder := logger.log_dir or logger.save_dir:
        existing = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
        with (
            explain_os_error(f"{folder} cannot be written", "use another run=..., or logger=none"),
            tempfile.TemporaryFile(dir=existing),
        ):
            pass


def _experiment_of(logger: _Persistent, open_writer: Callable[[], Any]) -> Any:
    opened: list[Any] = []
    logger.attempt(lambda: opened.append(open_writer()))
    return opened[0] if opened else DummyExperiment()


def _storage_error(error: BaseException | None) -> BaseException | None:
    """Return the error of the file; Lightning raises a `ValueError` from that of a writer."""
    cause = error.__cause__ if isinstance(error, ValueError) else error
    return cause if isinstance(cause, (OSError, tf.errors.OpError)) else None


def _probe(folder: Path) -> None:
    """Raise OSError if a file in the folder cannot be written.

    A writer that fails leaves an empty event file and a thread.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(PROBE_BYTES))


def _silence_writer_threads() -> None:
    """Print no traceback of TensorBoard's threads: the next call of the writer raises the error."""
    previous = threading.excepthook
    if getattr(previous, "silences_writers", False):
        return

    def hook(failed: threading.ExceptHookArgs) -> None:
        is_writer = type(failed.thread).__module__.startswith("tensorboard.")
        if not is_writer or _storage_error(failed.exc_value) is None:
            previous(failed)

    hook.silences_writers = True  # type: ignore[attr-defined]
    threading.excepthook = hook
