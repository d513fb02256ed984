"""The length of a training: batches and images per epoch and in total, and the epochs done."""

from typing import Any

from lightning import Trainer

from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.budget import Budget
from anime_dcgan.training.gan import GAN


def batches_per_epoch(trainer: Any, data: FacesDataModule | None = None) -> int:
    """Return the batches per epoch of each process; an estimate before the faces are decoded.

    `data` is that of the trainer, which does not know it before the training. Raises `UserError`
    if the faces fill no batch, or the trainer's limit leaves none.
    """
    data = data or trainer.datamodule
    assert isinstance(data, FacesDataModule)
    batches, limit = data.batches_per_epoch(trainer.world_size), trainer.limit_train_batches
    limited = int(batches * limit) if isinstance(limit, float) else min(batches, limit)
    if batches and not limited:
        name = "overfit" if trainer.overfit_batches else "limit_train"
        raise UserError(
            f"trainer.{name}_batches={limit} of {batches} batches is less than one: "
            f"use trainer.{name}_batches=1 for one batch per epoch"
        )
    return limited


def images_per_epoch(trainer: Any, data: FacesDataModule | None = None) -> int:
    """Return the number of real images per epoch, over all processes; see `batches_per_epoch`."""
    data = data or trainer.datamodule
    assert isinstance(data, FacesDataModule)
    return batches_per_epoch(trainer, data) * data.step_size * trainer.world_size


def total_images(trainer: Trainer, data: FacesDataModule | None = None) -> int | None:
    """Return the number of images at which the training ends; None if nothing limits them."""
    ends = [
        round(1000 * budget.max_kimg)
        for budget in callbacks_of(trainer, Budget)
        if budget.max_kimg is not None
    ]
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        ends.append(trainer.max_epochs * images_per_epoch(trainer, data))
    return min(ends, default=None)


def max_minutes(trainer: Trainer) -> float | None:
    """Return the minutes of training after which it ends; None if nothing limits them."""
    minutes = (budget.max_minutes for budget in callbacks_of(trainer, Budget))
    return min((each for each in minutes if each is not None), default=None)


def cost(module: GAN, images: int) -> float:
    """Return the cost of the first `images`, in images of the final size."""
    return images if module.growing is None else module.growing.cost(images)


def fraction_done(trainer: Trainer, module: GAN) -> float | None:
    """Return the fraction of the training that is done, in [0, 1]; None if nothing limits it.

    It is a fraction of the time: small images of a training that grows count less.
    """
    images, budgets = total_images(trainer), callbacks_of(trainer, Budget)
    done = [budget.spent(trainer, module) for budget in budgets if budget.is_limited]
    if images:
        done.append(cost(module, module.images_seen) / cost(module, images))
    return min(1.0, max(done)) if done else None


def epoch_now(trainer: Trainer) -> float:
    """Return the epochs done: 70 at the end of the 70th, 70.25 after a quarter of the next."""
    batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    return round(batches / trainer.num_training_batches, 3)
