"""Lightning's trainer, which also chooses the number of CPU threads and of epochs."""

import inspect
from collections.abc import Sequence
from typing import Any

import lightning
from lightning.pytorch.strategies import StrategyRegistry
from omegaconf import DictConfig

from anime_dcgan.system.console import launched_processes
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks.clock import TrainingClock
from anime_dcgan.training.callbacks.epochs import Epochs
from anime_dcgan.training.callbacks.threads import Threads
from anime_dcgan.training.logger import Persistent
from anime_dcgan.training.outputs import Outputs
from anime_dcgan.training.strategy import PlayerStrategy

MAX_MINUTES = 60 * 24 * 365


class Trainer(lightning.Trainer):
    """`lightning.Trainer` that also chooses the number of CPU threads and of epochs.

    It records the files that could not be written, as `outputs`.

    Parameters:
        threads: number of threads of each process; "auto" chooses the fastest (`Threads`).
        max_epochs: number of epochs; "auto" is 150, or more with few faces (`Epochs`).
        join_minutes: longest wait for the other processes of a distributed training, minutes.
        settings: as in `lightning.Trainer`.
    """

    def __init__(
        self,
        *,
        threads: int | str = "auto",
        max_epochs: int | str = "auto",
        join_minutes: float = 10.0,
        callbacks: Sequence[lightning.Callback] = (),
        **settings: Any,
    ) -> None:
        if not 0 < join_minutes < MAX_MINUTES:
            raise UserError(
                f"trainer.join_minutes={join_minutes} is not a time in minutes: "
                "use trainer.join_minutes=10"
            )
        # what "auto" chooses for several devices; Lightning's own fails on two networks
        StrategyRegistry.register("ddp", PlayerStrategy, override=True, join_minutes=join_minutes)
        # first, so that the time of a step does not include that of other callbacks
        first = [Threads(threads), Epochs(max_epochs), TrainingClock()]
        epochs = max_epochs if isinstance(max_epochs, int) else -1
        super().__init__(callbacks=[*first, *callbacks], max_epochs=epochs, **settings)
        self.outputs = Outputs()
        for logger in self.loggers:
            if isinstance(logger, Persistent):
                logger.outputs = self.outputs
        self.fit_loop.epoch_loop.max_steps = -1  # which fast_dev_run sets, counts both players


def check_trainer(config: DictConfig) -> None:
    """Raise `UserError` for settings of Lightning's automatic optimization, of one optimizer."""
    trainer = config.trainer
    clip, accumulate = trainer.get("gradient_clip_val"), trainer.get("accumulate_grad_batches", 1)
    if clip is not None:
        raise UserError(
            f"trainer.gradient_clip_val={clip} applies to one optimizer, and a GAN has two: "
            f"use gan.clip_gradient_norm={clip}"
        )
    if accumulate != 1:
        raise UserError(
            f"trainer.accumulate_grad_batches={accumulate} applies to one optimizer, and a GAN has "
            f"two: use gan.accumulate={max(1, accumulate)}"
        )
    if (interval := trainer.get("val_check_interval")) is not None:
        raise UserError(
            f"trainer.val_check_interval={interval} is the interval of a validation, which a GAN "
            "does not have: use callbacks.quality.every_kimg=20"
        )
    _check_budget(config)


def _check_budget(config: DictConfig) -> None:
    """Raise `UserError` for limits that Lightning counts in steps of both players."""
    steps = config.trainer.get("max_steps", -1)
    if steps not in (-1, None):
        kimg = steps * config.data.batch_size * config.gan.accumulate / 1000
        raise UserError(
            f"trainer.max_steps={steps} would count the steps of both players: use max_kimg="
            f"{kimg:g} for {steps} batches of each process"
        )
    for name in ("min_steps", "min_epochs"):
        if (value := config.trainer.get(name)) is not None:
            raise UserError(
                f"trainer.{name}={value} would override max_kimg: remove it, and set max_kimg or "
                "trainer.max_epochs"
            )
    if config.trainer.get("limit_train_batches") == 0:
        raise UserError(
            "trainer.limit_train_batches=0 trains on nothing: use trainer.limit_train_batches=1.0"
        )


def check_launched(trainer: lightning.Trainer) -> None:
    """Raise `UserError` unless torchrun or srun started as many processes as the trainer uses."""
    launched, used = launched_processes(), trainer.world_size
    if launched > 1 and launched != used:
        raise UserError(
            f"torchrun or srun started {launched} processes, but trainer.devices="
            f"{used // trainer.num_nodes} and trainer.num_nodes={trainer.num_nodes} use {used}: "
            f"use trainer.devices={max(1, launched // trainer.num_nodes)}, or start as many"
        )


def _signature() -> inspect.Signature:
    """Return Lightning's signature with our parameters: settings are checked against it."""
    own = inspect.signature(Trainer.__init__).parameters
    parameters = dict(inspect.signature(lightning.Trainer).parameters)
    parameters |= {name: own[name] for name in ("threads", "max_epochs", "join_minutes")}
    return inspect.Signature(list(parameters.values()))


Trainer.__signature__ = _signature()  # type: ignore[attr-defined]
