"""The run's settings for TensorBoard's HParams tab, beside the distance that was measured."""

from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

from anime_dcgan.callbacks.periodic import callbacks_of
from anime_dcgan.callbacks.provenance import Provenance
from anime_dcgan.gan import GAN
from anime_dcgan.metric.base import Metric
from anime_dcgan.settings import telling


class HParams(Callback):
    """Says what the run is trained with, when it starts.

    The tab shows the newest value of `quality/<headline>`, which `Quality` logs.
    """

    def __init__(self, metric: Metric | None = None) -> None:
        self.metric = metric

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                settings = {
                    key: "null" if value is None else value
                    for provenance in callbacks_of(trainer, Provenance)
                    for key, value in telling(provenance.config).items()
                }
                for summary in hparams(settings, dict.fromkeys(self._tags(), 0.0)):
                    logger.experiment.file_writer.add_summary(summary)

    def _tags(self) -> list[str]:
        return [] if self.metric is None else [f"quality/{self.metric.headline}"]
