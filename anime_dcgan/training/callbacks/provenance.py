"""Recording the settings of a run, and resuming only with the same ones."""

from collections.abc import Callable
from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.run.checkpoint import faces_of
from anime_dcgan.run.settings import Fingerprint, check_resumable, check_same_faces
from anime_dcgan.training.callbacks.periodic import epoch_now
from anime_dcgan.training.gan import GAN


class Provenance(Callback):
    """Store the epoch, the configuration and a hash of the faces, as plain values, in checkpoints.

    Loading a checkpoint raises `UserError` if the faces or a setting that is critical for resuming
    differ.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["config"] = self.config
        checkpoint["epochs_done"] = epoch_now(trainer)
        checkpoint["faces"] = _faces(trainer)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        check_resumable(checkpoint["config"], self.config)
        check_same_faces(faces_of(checkpoint), _faces(trainer))


class RecordStart(Callback):
    """Record the command in the run's files once the training begins, which nothing refused.

    Parameters:
        record: writes the files.
    """

    def __init__(self, record: Callable[[], None]) -> None:
        self.has_started = False
        self._record = record

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self.has_started = True
        if trainer.is_global_zero:
            self._record()


def _faces(trainer: Trainer) -> Fingerprint:
    return trainer.datamodule.faces.fingerprint()  # pyright: ignore[reportAttributeAccessIssue]
