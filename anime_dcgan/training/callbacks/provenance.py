"""Storing the configuration in checkpoints, and resuming only with the same settings."""

from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.run.settings import check_resumable
from anime_dcgan.training.callbacks.periodic import epoch_now
from anime_dcgan.training.gan import GAN


class Provenance(Callback):
    """Store the epoch and the resolved configuration, as plain values, in every checkpoint.

    Loading a checkpoint raises `UserError` if a setting that is critical for resuming differs.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["config"] = self.config
        checkpoint["epochs_done"] = epoch_now(trainer)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        check_resumable(checkpoint["config"], self.config)
