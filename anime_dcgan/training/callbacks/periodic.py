"""Base of callbacks that act at intervals of epochs or of images seen."""

from typing import Any

from lightning import Callback, Trainer

from anime_dcgan.data.batches import LabelledFaces
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now, images_per_epoch, total_images

AUTO_IMAGES = 10_000
"""Images between two actions with `every_epochs=auto`, if an epoch has fewer."""


class Periodic(Callback):
    """Call `act` every `every_epochs` epochs and every `every_kimg` thousand images.

    Parameters:
        every_epochs: interval in epochs; None disables it. "auto" is 1, or with few faces as many
            epochs as `AUTO_IMAGES` or a tenth of the training take, whichever is less.
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
        images = batch.images if isinstance(batch, LabelledFaces) else batch
        before = pl_module.images_seen - len(images) * trainer.world_size
        if pl_module.images_seen // interval > before // interval:
            self.act(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        interval = self.interval(images_per_epoch(trainer), total_images(trainer))
        if interval is not None and epoch_now(trainer) % interval == 0:
            self.act(trainer, pl_module)

    def interval(self, epoch_images: int, total: int | None) -> int | None:
        """Return the interval in epochs, for epochs of this many images, and this many in total.

        >>> Periodic("auto").interval(64, 300_000), Periodic("auto").interval(20_000, 3_000_000)
        (156, 1)
        """
        if not isinstance(self.every_epochs, str):
            return self.every_epochs
        images = AUTO_IMAGES if total is None else min(AUTO_IMAGES, total // 10)
        return max(1, images // epoch_images)
