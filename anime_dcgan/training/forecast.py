"""Forecast of a training before its pictures are decoded: time, memory and disk space."""

import math
from typing import NamedTuple

import torch
from lightning import Trainer

from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.system.console import log
from anime_dcgan.system.memory import GIGABYTE, free_memory, peak_memory, reset_peak_memory
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.epochs import Epochs
from anime_dcgan.training.callbacks.threads import Threads, trial_steps
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import cost, images_per_epoch, max_minutes, total_images

LONG_HOURS = 2.0
MUCH_DISK = 5e9
FEW_IMAGES = 50_000
"""A training on fewer images seldom ends with faces, whatever the data."""
PROBE_FRACTION = 8  # a step on this part of a batch shows whether a whole one fits into memory
PROBE_PIXELS = 64 * 64**2  # of a microbatch, above which that is tried


class StepCost(NamedTuple):
    """Seconds and peak memory of a training step."""

    seconds: float
    memory: int | None
    """Peak of the process, or on a GPU of its allocations, in bytes; None if it is unknown."""


def log_forecast(trainer: Trainer, module: GAN, data: FacesDataModule) -> None:
    """Log a line about the whole training, and settings that shorten one of many hours."""
    (epochs,) = callbacks_of(trainer, Epochs)
    epochs.resolve(trainer, data)
    epoch_images, images = images_per_epoch(trainer, data), total_images(trainer, data)
    minutes = max_minutes(trainer)
    if not (images or minutes) or not epoch_images or not trainer.is_global_zero:
        return
    step = _measure_step(trainer, module, data)
    step_images = data.step_size * trainer.world_size
    if step is not None and minutes is not None:
        images = _at_most(images, round(60 * minutes / step.seconds) * step_images)
    if images is None:
        return
    hours = None if step is None else cost(module, images) / step_images * step.seconds / 3600
    needed = sum(
        each.disk_bytes(module, images, epoch_images, images)
        for each in callbacks_of(trainer, Checkpointer)
    )
    raised = trainer.max_epochs if epochs.is_raised(trainer) else None
    is_bound = trainer.strategy.root_device.type == "cuda"
    log(describe(images, hours, needed, raised, is_bound, step))


def _at_most(images: int | None, limit: int) -> int:
    return limit if images is None else min(images, limit)


def describe(
    images: int,
    hours: float | None,
    disk_bytes: int,
    raised_epochs: int | None = None,
    is_bound: bool = False,
    step: StepCost | None = None,
) -> str:
    """Return the forecast, with the settings that change it.

    Parameters:
        raised_epochs: the number of epochs if it was chosen because there are few faces.
        is_bound: the training may be faster, because it launches its steps as CUDA graphs.

    >>> describe(9_600, 0.2, 2_000_000_000, step=StepCost(2.4, 900_000_000))
    '9,600 images take about 12 minutes and 2.0 GB of checkpoints, at 2.4 s a step and 0.9 GB of \
memory; they are few for a GAN: \
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
    each = "" if step is None else _describe_step(step)
    return "; ".join([f"{images:,} images take {' and '.join(costs) or 'little'}{each}", *advice])


def _describe_step(step: StepCost) -> str:
    memory = "" if step.memory is None else f" and {step.memory / GIGABYTE:.1f} GB of memory"
    return f", at {step.seconds:.2g} s a step{memory}"


def _format_hours(hours: float) -> str:
    if hours < 1 / 60:
        return "a minute"
    return f"{60 * hours:.0f} minutes" if hours < LONG_HOURS else f"{hours:.0f} hours"


def _measure_step(trainer: Trainer, module: GAN, data: FacesDataModule) -> StepCost | None:
    """Take steps on copies of the networks, with the number of threads that the training will use.

    Returns None if that fails on another device than the CPU: this must not end the training.
    Raises MemoryError on a CPU if a step will not fit.
    """
    device = trainer.strategy.root_device
    (threads,) = callbacks_of(trainer, Threads)
    on_gpu = device.type == "cuda"
    shape = (data.step_size, 3, data.image_size, data.image_size)
    try:
        with torch.random.fork_rng(devices=[device] if on_gpu else []):
            if device.type == "cpu":
                _check_fits(trainer, module, data)
            _reset_peak(device)
            real = torch.zeros(shape, device=device)
            seconds = threads.choose(trial_steps(trainer, module, real))
            return StepCost(seconds, _peak(module, device))
    except Exception:
        if device.type == "cpu":
            raise
        return None
    finally:
        if on_gpu:
            torch.cuda.empty_cache()


def _check_fits(trainer: Trainer, module: GAN, data: FacesDataModule) -> None:
    """Raise MemoryError if a step will not fit into the free memory, judged by one on few images.

    What it takes beyond the weights is taken to be proportional to the number of images.
    """
    free, side = free_memory(), data.image_size
    images = data.step_size // module.accumulate
    few = math.ceil(images / PROBE_FRACTION)
    if free is None or images * side**2 <= PROBE_PIXELS or few < 2:
        return
    before = _reset_peak(torch.device("cpu"))
    next(trial_steps(trainer, module, torch.zeros(few * module.accumulate, 3, side, side)))
    peak = peak_memory()
    if before is None or peak is None:
        return
    fixed = 4 * _weight_bytes(module)  # copies, gradients, and two moments of Adam's
    needed = fixed + max(0, peak - before - fixed) * images / few
    if needed > free:
        raise MemoryError(
            f"a step needs about {needed / GIGABYTE:.1f} GB, and {free / GIGABYTE:.1f} GB are free"
        )


def _reset_peak(device: torch.device) -> int | None:
    """Count the peak from now on; return the memory in use, on a CPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return None
    reset_peak_memory()
    return peak_memory()


def _peak(module: GAN, device: torch.device) -> int | None:
    """Return the peak of a training step, without the copies that the trial steps were taken on."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = peak_memory()
    return None if peak is None else peak - _weight_bytes(module)


def _weight_bytes(module: GAN) -> int:
    """Return the size of the weights of both players."""
    players = (module.generator, module.discriminator)
    return sum(weight.nbytes for player in players for weight in player.parameters())
