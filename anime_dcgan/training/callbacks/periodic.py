"""Base of callbacks that act at intervals of epochs or of images seen."""

import math
from typing import Any, TypeVar

from lightning import Callback, Trainer

from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN

AUTO_IMAGES = 5000
"""Images between two actions with `every_epochs=auto`, if an epoch has fewer."""

AnyCallback = TypeVar("AnyCallback", bound=Callback)


class Periodic(Callback):
    """Call `act` every `every_epochs` epochs and every `every_kimg` thousand images.

    Parameters:
        every_epochs: interval in epochs; None disables it. "auto" is 1, or with few faces as many
            epochs as `AUTO_IMAGES` take, but at most a tenth of the training.
        every_kimg: interval in thousands of images, for data with long epochs; None disables it.
    """

    def __init__(self, every_epochs: int | str | None = 1, every_kimg: float | None = None) -> None:
        for name, value in (("every_epochs", every_epochs), ("every_kimg", every_kimg)):
            if (name, value) == ("every_epochs", "auto"):
                continue
            if isinstance(value, str) or (value is not None and value <= 0):
                setting = f"callbacks.{type(self).__name__.lower()}.{name}"
                raise UserError(
                    f"{setting}={value} must be positive: use {setting}=1, or null to disable it"
                )
        self.every_epochs = every_epochs
        self.every_kimg = every_kimg

    def act(self, trainer: Trainer, module: GAN) -> None:
        """Do the work that is due."""
        raise NotImplementedError

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.every_kimg is None:
            return
        interval = 1000 * self.every_kimg
        before = pl_module.images_seen - len(batch) * trainer.world_size
        if pl_module.images_seen // interval > before // interval:
            self.act(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        interval = self.interval(images_per_epoch(trainer), trainer.max_epochs)
        if interval is not None and epoch_now(trainer) % interval == 0:
            self.act(trainer, pl_module)

    def interval(self, epoch_images: int, max_epochs: int | None) -> int | None:
        """Return the interval in epochs, for epochs of this many images.

        >>> Periodic("auto").interval(64, 150), Periodic("auto").interval(20_000, 150)
        (15, 1)
        """
        if not isinstance(self.every_epochs, str):
            return self.every_epochs
        epochs = math.ceil(AUTO_IMAGES / epoch_images)
        return epochs if max_epochs in (None, -1) else min(epochs, max(1, max_epochs // 10))


def images_per_epoch(trainer: Trainer) -> int:
    """Return the number of real images per epoch, over all processes."""
    assert isinstance(trainer.train_dataloader, FaceBatches)
    batch_images = trainer.train_dataloader.batch_size * trainer.world_size
    return int(trainer.num_training_batches) * batch_images


def callbacks_of(trainer: Trainer, kind: type[AnyCallback]) -> list[AnyCallback]:
    """Return the callbacks of one class, in order."""
    callbacks = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
    return [callback for callback in callbacks if isinstance(callback, kind)]


def epoch_now(trainer: Trainer) -> float:
    """Return the epochs done: 70 at the end of the 70th, 70.25 after a quarter of the next."""
    batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    return round(batches / trainer.num_training_batches, 3)
