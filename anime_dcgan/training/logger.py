"""Lightning's loggers, except that a file they cannot write never ends a training."""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Trainer
from lightning.fabric.loggers.logger import _DummyExperiment as DummyExperiment
from lightning.pytorch import loggers
from lightning.pytorch.loggers import Logger
from PIL import Image
from tensorboard.compat import tf
from torch.utils.tensorboard import SummaryWriter

from anime_dcgan.system.errors import UserError, explain_os_error, first_line, needs_extra
from anime_dcgan.training.outputs import Outputs, outputs_of

PROBE_BYTES = 1 << 16


class Persistent(Logger):
    """A logger that reports its first failure, and tries again with each call."""

    @cached_property
    def outputs(self) -> Outputs:
        """The record of failures, which the trainer replaces by its own."""
        return Outputs()

    @property
    def failure(self) -> str | None:
        """The reason for a gap in the files."""
        return self.outputs.failure(folder_of(self))

    def attempt(self, write: Callable[[], object]) -> bool:
        """Call `write`; return False, and log the first time, if a file cannot be written."""
        try:
            write()
        except Exception as error:
            cause = self._storage_error(error)
            if cause is None:
                raise
            self._fail(cause)
            return False
        return True

    def _storage_error(self, error: BaseException) -> BaseException | None:
        """Return the error of the file, if it is one."""
        return storage_error(error)

    def _fail(self, error: BaseException) -> None:
        self.outputs.add(folder_of(self), error)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        self.attempt(lambda: super(Persistent, self).log_metrics(dict(metrics), step))

    def save(self) -> None:
        self.attempt(super().save)

    def finalize(self, status: str) -> None:
        self.attempt(lambda: super(Persistent, self).finalize(status))


class CSVLogger(Persistent, loggers.CSVLogger):
    """Lightning's logger, which keeps rows that cannot be written and writes them later."""

    @property
    def experiment(self) -> Any:
        """The writer; one without effect while there cannot be any."""
        return _experiment_of(self, lambda: super(CSVLogger, self).experiment)

    def save(self) -> None:
        if self._experiment is not None and self.attempt(super(Persistent, self).save):
            self.outputs.remove(folder_of(self))


class TensorBoardLogger(Persistent, loggers.TensorBoardLogger):
    """Lightning's logger, which opens another event file after one that cannot be written."""

    @property
    def experiment(self) -> Any:
        """The writer; one without effect while there cannot be any."""
        return _experiment_of(self, self._open)

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        """Log pictures as Lightning's loggers for trackers do."""
        for image in images:
            pixels = np.asarray(image)
            self.write(lambda writer: writer.add_image(key, pixels, step, dataformats="HWC"))  # noqa: B023

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


class _Tracker(Persistent):
    """A logger that needs another package, and whose failures never end a training."""

    package: str

    def _storage_error(self, error: BaseException) -> BaseException | None:
        is_own = type(error).__module__.partition(".")[0] == self.package
        return error if is_own else super()._storage_error(error)

    def _refuse(self, error: Exception) -> UserError:
        """Return the error for a record that cannot be opened."""
        return UserError(
            f"logger={self.package} cannot be opened ({first_line(error)}): check its settings, or "
            "use logger=tensorboard"
        )


class WandbLogger(_Tracker, loggers.WandbLogger):
    """Lightning's logger for Weights & Biases.

    Parameters:
        offline: write files only, which `wandb sync` uploads.
        settings: as in `lightning.pytorch.loggers.WandbLogger` and `wandb.init`.
    """

    package = "wandb"

    def __init__(self, *, offline: bool = True, **settings: Any) -> None:
        try:
            super().__init__(offline=offline, **settings)
        except ModuleNotFoundError:
            raise needs_extra("logger=wandb", "wandb", "use logger=tensorboard") from None

    def finalize(self, status: str) -> None:
        """End the record: the next training of this process, as in a sweep, begins its own."""
        super().finalize(status)
        if self._experiment is not None:
            self.attempt(self._experiment.finish)
            self._id, self._experiment = self.version, None

    def log_image(
        self, key: str, images: list[Any], step: int | None = None, **settings: Any
    ) -> None:
        self.attempt(lambda: super(WandbLogger, self).log_image(key, images, step, **settings))

    @property
    def experiment(self) -> Any:
        """The run of `wandb`. Raises `UserError` if it cannot be opened."""
        try:
            return super().experiment
        except Exception as error:
            if self._experiment is None and self._storage_error(error) is not None:
                raise self._refuse(error) from error
            raise


class MLFlowLogger(_Tracker, loggers.MLFlowLogger):
    """Lightning's logger for MLflow, with grids.

    Parameters:
        settings: as in `lightning.pytorch.loggers.MLFlowLogger`.
    """

    package = "mlflow"

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ModuleNotFoundError:
            raise needs_extra("logger=mlflow", "mlflow", "use logger=tensorboard") from None

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        """Log pictures as Lightning's loggers for other trackers do."""
        for image in images:
            self.attempt(partial(self.experiment.log_image, self.run_id, image, key=key, step=step))

    @property
    def experiment(self) -> Any:
        """The client of MLflow. Raises `UserError` if the record cannot be opened."""
        try:
            return super().experiment
        except Exception as error:
            if not self._initialized and self._storage_error(error) is not None:
                raise self._refuse(error) from error
            raise


def check_folder(logger: Logger) -> None:
    """Raise `UserError` if a logger cannot write: TensorBoard's thread would print a traceback."""
    if folder := logger.log_dir or logger.save_dir:
        existing = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
        with (
            explain_os_error(f"{folder} cannot be written", "use another run=..., or logger=none"),
            tempfile.TemporaryFile(dir=existing),
        ):
            pass


def folder_of(logger: Logger) -> Path:
    """Return where a logger writes to."""
    if isinstance(logger, loggers.MLFlowLogger):
        return Path(logger._tracking_uri.removeprefix("sqlite:///").removeprefix("file:"))
    return Path(str(logger.log_dir or logger.save_dir or type(logger).__name__))


def write_events(trainer: Trainer, write: Callable[[SummaryWriter], None]) -> None:
    """Call `write` with the writer of each TensorBoard logger."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.write(write)


def log_picture(trainer: Trainer, tag: str, picture: Image.Image, images: int) -> None:
    """Log a picture at `images` seen, to every logger that takes pictures."""
    for logger in trainer.loggers:
        write = partial(_write_picture, logger, tag, picture, images)
        outputs_of(trainer).attempt(folder_of(logger), write)


def _write_picture(logger: Logger, tag: str, picture: Image.Image, images: int) -> None:
    """Write a picture by `log_image`, which some of Lightning's loggers have, or by the client."""
    if hasattr(logger, "log_image"):
        logger.log_image(tag, [picture], step=images)  # pyright: ignore[reportAttributeAccessIssue]
    elif isinstance(logger, loggers.MLFlowLogger):
        logger.experiment.log_image(logger.run_id, picture, key=tag, step=images)
    elif isinstance(logger, loggers.TensorBoardLogger):
        logger.experiment.add_image(tag, np.asarray(picture), images, dataformats="HWC")


def _experiment_of(logger: Persistent, open_writer: Callable[[], Any]) -> Any:
    opened: list[Any] = []
    logger.attempt(lambda: opened.append(open_writer()))
    return opened[0] if opened else DummyExperiment()


def storage_error(error: BaseException | None) -> BaseException | None:
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
        if not is_writer or storage_error(failed.exc_value) is None:
            previous(failed)

    hook.silences_writers = True  # type: ignore[attr-defined]
    threading.excepthook = hook
