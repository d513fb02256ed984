"""How long a training will take and how much disk it needs, before its pictures are decoded."""

import torch
from lightning import Trainer

from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.system.console import log
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.epochs import Epochs
from anime_dcgan.training.callbacks.threads import Threads, trial_steps
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import callbacks_of, images_per_epoch, total_images

LONG_HOURS = 2.0
MUCH_DISK = 5e9
FEW_IMAGES = 50_000
"""A training on fewer images seldom ends with faces, whatever the data."""


def log_forecast(trainer: Trainer, module: GAN, data: FacesDataModule) -> None:
    """Log a line about the whole training, and settings that shorten one of many hours."""
    (epochs,) = callbacks_of(trainer, Epochs)
    epochs.resolve(trainer, data)
    epoch_images, images = images_per_epoch(trainer, data), total_images(trainer, data)
    if not images or not epoch_images or not trainer.is_global_zero:
        return
    seconds = _seconds_per_step(trainer, module, data)
    steps = images / (data.step_size * trainer.world_size)
    hours = None if seconds is None else steps * seconds / 3600
    needed = sum(
        each.disk_bytes(module, images, epoch_images, images)
        for each in callbacks_of(trainer, Checkpointer)
    )
    raised = trainer.max_epochs if epochs.is_raised(trainer) else None
    log(describe(images, hours, needed, raised, trainer.strategy.root_device.type == "cuda"))


def describe(
    images: int,
    hours: float | None,
    disk_bytes: int,
    raised_epochs: int | None = None,
    is_bound: bool = False,
) -> str:
    """Return the forecast, with the settings that change it.

    Parameters:
        raised_epochs: the number of epochs if it was chosen because there are few faces.
        is_bound: the training may be faster, because it launches its steps as CUDA graphs.

    >>> describe(9_600, 0.2, 2_000_000_000)
    '9,600 images take about 12 minutes and 2.0 GB of checkpoints; they are few for a GAN: \
trainer.max_epochs=auto max_kimg=300 trains longer'
    """
    costs = (
        [] if hours is None else [f"{'at most' if is_bound else 'about'} {_format_hours(hours)}"]
    )
    costs += [f"{disk_bytes / 1e9:.1f} GB of checkpoints"] if disk_bytes >= 1e8 else []
    advice = []
    if raised_epochs is not None:
        advice.append(
            f"these are {raised_epochs:,} epochs, because the faces are few: trainer.max_epochs=N "
            "or max_kimg=N changes that"
        )
    if hours is not None and hours > LONG_HOURS:
        kimg = max(1, round(images / hours / 1000))
        advice.append(f"max_kimg={kimg} takes an hour, experiment=quickstart a few minutes")
    if disk_bytes > MUCH_DISK:
        advice.append("callbacks.checkpointer.keep=10 keeps the ten newest checkpoints")
    if images < FEW_IMAGES:
        advice.append("they are few for a GAN: trainer.max_epochs=auto max_kimg=300 trains longer")
    return "; ".join([f"{images:,} images take {' and '.join(costs) or 'little'}", *advice])


def _format_hours(hours: float) -> str:
    if hours < 1 / 60:
        return "a minute"
    return f"{60 * hours:.0f} minutes" if hours < LONG_HOURS else f"{hours:.0f} hours"


def _seconds_per_step(trainer: Trainer, module: GAN, data: FacesDataModule) -> float | None:
    """Time steps on copies of the networks, with the number of threads that the training will use.

    Returns None if that fails on another device than the CPU: this must not end the training.
    """
    device = trainer.strategy.root_device
    (threads,) = callbacks_of(trainer, Threads)
    on_gpu = device.type == "cuda"
    try:
        real = torch.zeros(data.step_size, 3, data.image_size, data.image_size, device=device)
        with torch.random.fork_rng(devices=[device] if on_gpu else []):
            return threads.choose(trial_steps(trainer, module, real))
    except Exception:
        if device.type == "cpu":
            raise
        return None
    finally:
        if on_gpu:
            torch.cuda.empty_cache()
