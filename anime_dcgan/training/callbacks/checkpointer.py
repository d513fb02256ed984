"""Checkpoints: one every so many epochs, and `last` for going on."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

from lightning import Trainer
from torch import nn

from anime_dcgan.run.runs import by_epoch, file_stem
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import atomic_write, sync
from anime_dcgan.training.callbacks.budget import images_in_all, images_in_epoch
from anime_dcgan.training.callbacks.periodic import Periodic, epoch_now
from anime_dcgan.training.gan import GAN

LAST = "last.ckpt"


class Checkpointer(Periodic):
    """Saves `epoch=0070.ckpt` files, and `last.ckpt` also in between and when the training ends.

    When one cannot be saved, the ones before it stay, and the training goes on.

    Parameters:
        folder: where the checkpoints lie.
        every_epochs, every_kimg: as in `Periodic`.
        keep: how many of the numbered ones stay, the newest; null keeps all.
        last_minutes: `last.ckpt` is saved when this many minutes went by without a save.
    """

    def __init__(
        self,
        folder: str,
        every_epochs: int | None = 1,
        every_kimg: float | None = None,
        keep: int | None = None,
        last_minutes: float = 10.0,
    ) -> None:
        super().__init__(every_epochs, every_kimg)
        if keep is not None and keep < 1:
            raise UserError(
                f"callbacks.checkpointer.keep={keep}: use 1 or more, or null to keep all"
            )
        self.folder = Path(folder)
        self.keep = keep
        self.last_minutes = last_minutes
        self._saved_at = time.monotonic()
        self._saved_images = -1
        self._failure: str | None = None

    def act(self, trainer: Trainer, module: GAN) -> None:
        if self._save(trainer, module, f"{file_stem(epoch_now(trainer))}.ckpt"):
            self._drop_old(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            self._warn_of_little_room(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        overdue = time.monotonic() - self._saved_at > 60 * self.last_minutes
        if trainer.strategy.reduce_boolean_decision(overdue, all=False) or trainer.should_stop:
            self.save_last(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        if self._saved_images != pl_module.images_seen and pl_module.images_seen:
            self.save_last(trainer, pl_module)
        if self._failure is not None:
            raise UserError(
                f"the end of this run could not be saved to {self.folder}: {self._failure}. "
                "Make room there, then go on with ckpt_path=last"
            )

    def save_last(self, trainer: Trainer, module: GAN) -> None:
        """Save `last.ckpt` now, unless nothing was trained since."""
        if self._saved_images != module.images_seen:
            self._save(trainer, module, LAST)

    def save_best(self, trainer: Trainer, module: GAN) -> None:
        """Save `best.ckpt` now, and as `last.ckpt` too."""
        self._save(trainer, module, "best.ckpt")

    def _save(self, trainer: Trainer, module: GAN, name: str) -> bool:
        """Save it under its name and as `last.ckpt`; all ranks agree on whether that went well."""
        failure = None
        try:
            trainer.save_checkpoint(self.folder / name, weights_only=False)
        except OSError as error:
            failure = str(error)
            trainer.strategy.barrier("Trainer.save_checkpoint")  # where the other ranks wait
        else:
            if name != LAST and trainer.is_global_zero:
                failure = self._also_as_last(name)
        if failure is not None:
            log(
                f"{name} could not be saved ({failure}); the checkpoints before it are untouched, "
                "training goes on and tries again"
            )
        self._failure = trainer.strategy.broadcast(failure)
        if self._failure is None:
            self._saved_images = module.images_seen
        self._saved_at = time.monotonic()
        return self._failure is None

    def _also_as_last(self, name: str) -> str | None:
        """Why that failed, or None."""
        try:
            with atomic_write(self.folder / LAST, shared=False) as partial:
                partial.unlink(missing_ok=True)
                try:
                    os.link(self.folder / name, partial)
                except OSError:  # a file system without hard links
                    shutil.copyfile(self.folder / name, partial)
                    sync(partial)
        except OSError as error:
            return str(error)
        return None

    def _drop_old(self, trainer: Trainer) -> None:
        if self.keep is not None and trainer.is_global_zero:
            for path in by_epoch(self.folder, ".ckpt")[: -self.keep]:
                path.unlink(missing_ok=True)

    def _warn_of_little_room(self, trainer: Trainer, module: GAN) -> None:
        """Say it before the training, not when the disk is full, that it will be."""
        images = images_in_all(trainer)
        if self.every_epochs is None or images is None:
            return
        count = (images - module.images_seen) // (images_in_epoch(trainer) * self.every_epochs)
        size = _checkpoint_bytes(module)
        count = min(count, self.keep or count)
        needed, free = count * size, shutil.disk_usage(self.folder).free
        if needed > free:
            log(
                f"{count} checkpoints of {size / 1e6:.0f} MB need {needed / 1e9:.1f} GB, but "
                f"{free / 1e9:.1f} GB are free: callbacks.checkpointer.keep=10 keeps the newest ten"
            )


def _checkpoint_bytes(module: GAN) -> int:
    """Both players with the two moments of Adam, and the moving average."""
    trained = _count(module.generator) + _count(module.discriminator)
    return 4 * (3 * trained + _count(module.generator_ema))


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
