"""The run's settings for TensorBoard's HParams tab, beside the distance that was measured."""

from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from anime_dcgan.run.settings import distinguishing
from anime_dcgan.training.callbacks.periodic import callbacks_of
from anime_dcgan.training.callbacks.provenance import Provenance
from anime_dcgan.training.callbacks.quality import Quality
from anime_dcgan.training.gan import GAN

FOLDER = "hparams"  # below that of the logger


class HParams(Callback):
    """Says what the run is trained with, and its last and lowest headline distance.

    No experiment is described, since TensorBoard would take that of any one run, and leave out the
    settings that only others have. It then shows all curves that lie beside the settings: these
    have a folder of their own, which holds the two distances and nothing else.
    """

    def __init__(self) -> None:
        self._writers: list[SummaryWriter] = []
        self._written = -1  # images of the measurement that was written last

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                writer = SummaryWriter(str(Path(logger.log_dir) / FOLDER))
                _, start, _ = hparams(_settings(trainer), {})
                _add(writer, start)
                self._writers.append(writer)
        self._write(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._write(trainer)
        for writer in self._writers:
            _, _, end = hparams({}, {})
            _add(writer, end)

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        while self._writers:
            self._writers.pop().close()

    def _write(self, trainer: Trainer) -> None:
        """What was measured since the last time."""
        for quality in callbacks_of(trainer, Quality):
            if not quality.rows or quality.rows[-1]["images"] == self._written:
                continue
            self._written = images = quality.rows[-1]["images"]
            distances = [quality.headline(row) for row in quality.rows]
            for writer in self._writers:
                writer.add_scalar("distance/last", distances[-1], images)
                writer.add_scalar("distance/best", min(distances), images)
                writer.flush()


def _settings(trainer: Trainer) -> dict[str, Any]:
    return {
        key: "null" if value is None else value
        for provenance in callbacks_of(trainer, Provenance)
        for key, value in distinguishing(provenance.config).items()
    }


def _add(writer: SummaryWriter, summary: Any) -> None:
    file = writer.file_writer
    assert file is not None
    file.add_summary(summary)
    writer.flush()
