"""The number of epochs of a training."""

import math

from lightning import Callback, Trainer

from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.budget import Budget
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import images_per_epoch

REPORT_EPOCHS = 150
"""Epochs of the student report, on 21 thousand faces."""

MIN_IMAGES = 300_000
"""Images of a training without a budget. After fewer, a generator seldom draws faces."""


class Epochs(Callback):
    """End the training after `trainer.max_epochs` epochs, which may be "auto".

    "auto" is 150, or with few faces as many epochs as `MIN_IMAGES` take. With `max_kimg` or
    `max_minutes`, there is no limit in epochs.

    Parameters:
        max_epochs: number of epochs, -1 for no limit, or "auto".
    """

    def __init__(self, max_epochs: int | str) -> None:
        is_number = isinstance(max_epochs, int) and max_epochs >= 1
        if not is_number and max_epochs not in ("auto", -1):
            raise UserError(
                f"trainer.max_epochs={max_epochs} must be auto, a number of epochs, or -1 for no "
                "limit: use trainer.max_epochs=auto"
            )
        self.is_auto = max_epochs == "auto"

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        data = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.resolve(trainer, data)

    def resolve(self, trainer: Trainer, data: FacesDataModule) -> None:
        """Set the trainer's number of epochs; an estimate before the faces are decoded."""
        if self.is_auto and not trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue]
            has_budget = any(each.is_limited for each in callbacks_of(trainer, Budget))
            epochs = -1 if has_budget else _enough(images_per_epoch(trainer, data))
            trainer.fit_loop.max_epochs = epochs

    def is_raised(self, trainer: Trainer) -> bool:
        """Return True if the faces are so few that the training has more epochs than usual."""
        return self.is_auto and (trainer.max_epochs or 0) > REPORT_EPOCHS


def _enough(epoch_images: int) -> int:
    """Return the number of epochs.

    >>> _enough(21_000), _enough(64)
    (150, 4688)
    """
    return max(REPORT_EPOCHS, math.ceil(MIN_IMAGES / max(1, epoch_images)))
