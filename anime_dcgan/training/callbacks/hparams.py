"""The run's settings and measured distances, for TensorBoard's HParams tab."""

from functools import partial
from typing import Any

from lightning import Callback, Trainer
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from anime_dcgan.run.settings import distinguishing
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.provenance import Provenance
from anime_dcgan.training.callbacks.quality import Quality
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.logger import TensorBoardLogger
from anime_dcgan.training.outputs import outputs_of

FOLDER = "hparams"  # in the logger's folder


class HParams(Callback):
    """Write the settings of the run, and its last and lowest headline distance.

    No experiment summary is written: TensorBoard would use that of one run for all, and omit
    settings that only other runs have. Without one, it shows every curve in the folder of the
    settings, which is why that folder contains the two distances only.
    """

    def __init__(self) -> None:
        self._loggers: list[TensorBoardLogger] = []
        self._written = -1  # images seen at the last measurement written

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                own = TensorBoardLogger(logger.log_dir, name=FOLDER, version="")
                own.outputs = outputs_of(trainer)
                _, start, _ = hparams(_settings(trainer), {})
                own.write(partial(_add, summary=start))
                self._loggers.append(own)
        self._write(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._write(trainer)
        for logger in self._loggers:
            _, _, end = hparams({}, {})
            logger.write(partial(_add, summary=end))

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        while self._loggers:
            self._loggers.pop().finalize(stage)

    def _write(self, trainer: Trainer) -> None:
        """Write the latest measurement once."""
        for quality in callbacks_of(trainer, Quality):
            if not quality.rows or quality.rows[-1]["images"] == self._written:
                continue
            self._written = images = quality.rows[-1]["images"]
            distances = [quality.headline(row) for row in quality.rows]
            for logger in self._loggers:
                logger.log_metrics(
                    {"distance/last": distances[-1], "distance/best": min(distances)}, images
                )
                logger.write(SummaryWriter.flush)


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
