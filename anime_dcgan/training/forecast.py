"""How long a training will take and how much disk it needs, before its pictures are decoded."""

import copy
import time
from collections.abc import Callable

import torch
from lightning import Trainer
from torch import Tensor

from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.game.duality import copy_game
from anime_dcgan.game.step import Game
from anime_dcgan.system.console import log
from anime_dcgan.training.callbacks.budget import total_images
from anime_dcgan.training.callbacks.checkpointer import Checkpointer
from anime_dcgan.training.callbacks.periodic import callbacks_of
from anime_dcgan.training.gan import GAN

LONG_HOURS = 2.0
MUCH_DISK = 5e9
FEW_IMAGES = 50_000
"""A training on fewer images seldom ends with faces, whatever the data."""


def log_forecast(trainer: Trainer, module: GAN, data: FacesDataModule) -> None:
    """Log a line about the whole training, and settings that shorten one of many hours."""
    if not trainer.is_global_zero:
        return
    epoch_images = _images_per_epoch(trainer, data)
    images = total_images(trainer, epoch_images) if epoch_images else None
    if not images:
        return
    hours = _hours(trainer, module, data, images)
    needed = sum(
        each.disk_bytes(module, images, epoch_images, trainer.max_epochs)
        for each in callbacks_of(trainer, Checkpointer)
    )
    log(describe(images, hours, needed))


def describe(images: int, hours: float | None, disk_bytes: int) -> str:
    """Return the forecast, with the settings that change it.

    >>> describe(9_600, 0.2, 2_000_000_000)
    '9,600 images take about 12 minutes and 2.0 GB of checkpoints; they are few for a GAN: \
trainer.max_epochs=-1 max_kimg=300 trains longer'
    """
    costs = [] if hours is None else [f"about {_format_hours(hours)}"]
    costs += [f"{disk_bytes / 1e9:.1f} GB of checkpoints"] if disk_bytes >= 1e8 else []
    advice = []
    if hours is not None and hours > LONG_HOURS:
        kimg = max(1, round(images / hours / 1000))
        advice.append(f"max_kimg={kimg} takes an hour, experiment=quickstart a few minutes")
    if disk_bytes > MUCH_DISK:
        advice.append("callbacks.checkpointer.keep=10 keeps the ten newest checkpoints")
    if images < FEW_IMAGES:
        advice.append("they are few for a GAN: trainer.max_epochs=-1 max_kimg=300 trains longer")
    return "; ".join([f"{images:,} images take {' and '.join(costs) or 'little'}", *advice])


def _format_hours(hours: float) -> str:
    if hours < 1 / 60:
        return "a minute"
    return f"{60 * hours:.0f} minutes" if hours < LONG_HOURS else f"{hours:.0f} hours"


def _images_per_epoch(trainer: Trainer, data: FacesDataModule) -> int:
    step_images = data.batch_size * data.accumulate * trainer.world_size
    steps, limit = data.estimate_training_faces() // step_images, trainer.limit_train_batches
    return step_images * (int(steps * limit) if isinstance(limit, float) else min(steps, limit))


def _hours(trainer: Trainer, module: GAN, data: FacesDataModule, images: int) -> float | None:
    """Time steps on copies of the networks, on the CPU; None on other devices."""
    if trainer.strategy.root_device.type != "cpu":
        return None
    step_images = data.batch_size * data.accumulate
    real = torch.zeros(step_images, 3, data.image_size, data.image_size)
    with torch.random.fork_rng(devices=[]):
        seconds = seconds_per_step(_game(trainer, module), real, module)
    return images / (step_images * trainer.world_size) * seconds / 3600


def _game(trainer: Trainer, module: GAN) -> Game:
    generator_optimizer, discriminator_optimizer = module.configure_optimizers()
    rules = copy.deepcopy((module.loss, module.regularizer, module.augment))
    game = Game(
        *(module.generator, module.discriminator, generator_optimizer, discriminator_optimizer),
        *rules,
        module.fakes_per_real,
        module.accumulate,
        module.clip_gradient_norm,
        precision=trainer.precision_plugin.forward_context,
        generator_regularizer=module.generator_regularizer,
    )
    return copy_game(game)


def seconds_per_step(game: Game, real: Tensor, module: GAN) -> float:
    """Return the time of a step with one or with all threads, whichever is faster."""

    def draw_latents(count: int) -> Tensor:
        return torch.randn(count, module.generator.latent_dim)

    def discriminator_steps() -> None:  # a lazy penalty is due in the first of two
        for step in (0, 1):
            game.discriminator_step(real, draw_latents, step)

    def generator_step() -> None:
        game.generator_step(real, draw_latents)

    generator_step()  # libraries choose their kernels
    threads, best = torch.get_num_threads(), float("inf")
    for number in {1, threads}:
        torch.set_num_threads(number)
        seconds = _time(discriminator_steps) / 2 + _time(generator_step) / module.critic_steps
        best = min(best, seconds)
    torch.set_num_threads(threads)
    return best


def _time(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
