"""Recording the settings of a run, in its files and in its checkpoints."""

from collections.abc import Callable
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.run.origin import Origin
from anime_dcgan.run.settings import Fingerprint
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now


class Provenance(Callback):
    """Store epoch, configuration and a hash of the faces in checkpoints, as plain values."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["config"] = self.config
        checkpoint["epochs_done"] = epoch_now(trainer)
        checkpoint["faces"] = _faces(trainer)


class RecordStart(Callback):
    """Record the command in the run's files once the training begins, which nothing refused.

    Parameters:
        record: writes the files, given the checkpoint that the run began from, if any.
    """

    def __init__(self, record: Callable[[Origin | None], None]) -> None:
        self.has_started = False
        self._record = record
        self._module: GAN | None = None

    def record(self) -> None:
        """Write the files, unless they were written already."""
        if not self.has_started:
            self._record(self._module and self._module.origin)
            self.has_started = True

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        self._module = pl_module

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        if trainer.is_global_zero:
            self.record()


def _faces(trainer: Trainer) -> Fingerprint:
    return trainer.datamodule.faces.fingerprint()  # pyright: ignore[reportAttributeAccessIssue]
