"""Training budget in images and in minutes."""

from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.clock import TrainingClock
from anime_dcgan.training.gan import GAN


class Budget(Callback):
    """End the training once a budget is spent, of which the part before a resume is a part.

    Parameters:
        max_kimg: budget in thousands of real images; null for no limit.
        max_minutes: budget in minutes of training, without measurements; null for no limit. The
            number of images depends on the machine, so that such a training cannot be repeated
            exactly.
    """

    def __init__(self, max_kimg: float | None = None, max_minutes: float | None = None) -> None:
        _check_limit("max_kimg", max_kimg, example=300)
        _check_limit("max_minutes", max_minutes, example=30)
        self.max_kimg = max_kimg
        self.max_minutes = max_minutes

    @property
    def is_limited(self) -> bool:
        """True if there is a budget."""
        return self.max_kimg is not None or self.max_minutes is not None

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self._stop_when_spent(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._stop_when_spent(trainer, pl_module)

    def _stop_when_spent(self, trainer: Trainer, module: GAN) -> None:
        is_spent = self.is_spent(trainer, module)
        if self.max_minutes is not None:  # the clocks of several processes differ
            is_spent = trainer.strategy.broadcast(is_spent)
        if is_spent:
            trainer.should_stop = True

    def is_spent(self, trainer: Trainer, module: GAN) -> bool:
        """Return True if the run has seen all images, or was trained for all minutes."""
        return self.spent(trainer, module) >= 1

    def spent(self, trainer: Trainer, module: GAN) -> float:
        """Return the fraction of the budget that is spent, which the last step may exceed."""
        fractions = [0.0]
        if self.max_kimg is not None:
            images = 1000 * self.max_kimg
            fractions.append(module.images_seen / images if images else 1.0)
        if self.max_minutes is not None:
            (clock,) = callbacks_of(trainer, TrainingClock)
            fractions.append(60 * clock.hours / self.max_minutes if self.max_minutes else 1.0)
        return max(fractions)


def _check_limit(name: str, value: float | None, example: int) -> None:
    if value is not None and value < 0:
        raise UserError(f"{name}={value} is negative: use {name}={example}, or null for no limit")
