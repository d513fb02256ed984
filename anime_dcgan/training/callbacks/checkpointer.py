"""Saving checkpoints: one per interval, and `last.ckpt` to resume from."""

import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lightning import Trainer
from torch import nn

from anime_dcgan.run.runs import by_epoch, file_stem
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import atomic_write, sync
from anime_dcgan.training.callbacks.periodic import Periodic
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now, images_per_epoch, total_images
from anime_dcgan.training.outputs import TRY_AGAIN, outputs_of

LAST_CHECKPOINT = "last.ckpt"


class Checkpointer(Periodic):
    """Save `epoch=0070.ckpt` files, and `last.ckpt` with each, in between and at the end.

    If a checkpoint cannot be saved, earlier ones are kept and the training continues.

    Parameters:
        folder: folder of the checkpoints.
        every_epochs, every_kimg: as in `Periodic`.
        keep: number of newest `epoch=...` checkpoints to keep; None keeps all.
        last_minutes: maximum age of `last.ckpt`, in minutes of training.
    """

    def __init__(
        self,
        folder: str,
        every_epochs: int | str | None = 1,
        every_kimg: float | None = None,
        keep: int | None = None,
        last_minutes: float = 10.0,
    ) -> None:
        super().__init__(every_epochs, every_kimg)
        if keep is not None and keep < 1:
            raise UserError(
                f"callbacks.checkpointer.keep={keep} must be at least 1: "
                "use callbacks.checkpointer.keep=1, or null to keep all"
            )
        self.folder = Path(folder)
        self.keep = keep
        self.last_minutes = last_minutes
        self._saved_at = time.monotonic()
        self._saved_images = -1
        self._failure: str | None = None
        self._is_best = False

    def act(self, trainer: Trainer, module: GAN) -> None:
        if self._save(trainer, module, f"{file_stem(epoch_now(trainer))}.ckpt"):
            self._drop_old(trainer)

    def request_best(self) -> None:
        """Save `best.ckpt` when the callbacks before this one are done with the step or epoch.

        A checkpoint within a measurement would resume after it, and lose what follows from it.
        """
        self._is_best = True

    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            self._warn_if_disk_too_small(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._save_best(trainer, pl_module)
        overdue = time.monotonic() - self._saved_at > 60 * self.last_minutes
        if trainer.strategy.reduce_boolean_decision(overdue, all=False) or trainer.should_stop:
            self.save_last(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        self._save_best(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        if self._saved_images != pl_module.images_seen and pl_module.images_seen:
            self.save_last(trainer, pl_module)
        if self._failure is not None:
            raise UserError(
                f"the end of this run could not be saved to {self.folder}: {self._failure}. "
                "Free disk space there, or give yourself access, then resume with ckpt_path=last"
            )

    def save_last(self, trainer: Trainer, module: GAN) -> None:
        """Save `last.ckpt`, unless nothing was trained since the last save."""
        if self._saved_images != module.images_seen:
            self._save(trainer, module, LAST_CHECKPOINT)

    def _save_best(self, trainer: Trainer, module: GAN) -> None:
        if self._is_best:
            self._save(trainer, module, "best.ckpt")
        self._is_best = False

    def _save(self, trainer: Trainer, module: GAN, name: str) -> bool:
        """Save as `name` and as `last.ckpt`; return True, on every rank, if both were written."""
        save = partial(trainer.save_checkpoint, self.folder / name, weights_only=False)
        failure = self._attempt(trainer, name, save)
        if failure is not None:
            trainer.strategy.barrier("Trainer.save_checkpoint")  # the other ranks wait there
        elif name != LAST_CHECKPOINT and trainer.is_global_zero:
            failure = self._attempt(trainer, LAST_CHECKPOINT, partial(self._link_as_last, name))
        self._failure = trainer.strategy.broadcast(failure)
        if self._failure is None:
            self._saved_images = module.images_seen
        self._saved_at = time.monotonic()
        return self._failure is None

    def _attempt(self, trainer: Trainer, name: str, write: Callable[[], None]) -> str | None:
        """Call `write`; return why the file could not be written, or None."""
        path, outputs = self.folder / name, outputs_of(trainer)
        outputs.rewrite(path, write, self.folder, f"earlier checkpoints are untouched, {TRY_AGAIN}")
        return outputs.failure(path, self.folder)

    def _link_as_last(self, name: str) -> None:
        """Make `last.ckpt` a link to, or a copy of, `name`."""
        with atomic_write(self.folder / LAST_CHECKPOINT) as temporary:
            try:
                os.link(self.folder / name, temporary)
            except OSError:  # a file system without hard links
                shutil.copyfile(self.folder / name, temporary)
                sync(temporary)

    def _drop_old(self, trainer: Trainer) -> None:
        if self.keep is not None and trainer.is_global_zero:
            for path in by_epoch(self.folder, ".ckpt")[: -self.keep]:
                path.unlink(missing_ok=True)

    def _warn_if_disk_too_small(self, trainer: Trainer, module: GAN) -> None:
        """Log a warning if the checkpoints of this run will not fit on the disk."""
        images, epoch_images = total_images(trainer), images_per_epoch(trainer)
        if images is None:
            return
        remaining = images - module.images_seen
        needed = self.disk_bytes(module, remaining, epoch_images, images)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            log(
                f"the checkpoints of this run need {needed / 1e9:.1f} GB, but "
                f"only {free / 1e9:.1f} GB are free: callbacks.checkpointer.keep=10 keeps the ten "
                "newest"
            )

    def disk_bytes(self, module: GAN, images: int, epoch_images: int, total: int) -> int:
        """Return the bytes that the checkpoints of this many images of the total will take."""
        epochs = self.interval(epoch_images, total)
        intervals = [epoch_images * epochs] if epochs else []
        intervals += [round(1000 * self.every_kimg)] if self.every_kimg else []
        count = sum(images // max(1, interval) for interval in intervals)
        return min(count, self.keep or count) * _checkpoint_bytes(module)


def _checkpoint_bytes(module: GAN) -> int:
    """Return the size of a checkpoint: both players, Adam's two moments, and the EMA."""
    trained = _parameter_count(module.generator) + _parameter_count(module.discriminator)
    return 4 * (3 * trained + _parameter_count(module.generator_ema))


def _parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
