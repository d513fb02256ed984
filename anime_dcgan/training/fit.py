"""Run one training: build everything from the configuration, then fit."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import Callback
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.command import instantiate
from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.run.outcome import FINISHED, write_finished
from anime_dcgan.system import precision
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.malloc import retain_freed_memory
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.budget import Budget
from anime_dcgan.training.callbacks.clock import TrainingClock
from anime_dcgan.training.callbacks.equilibrium import Equilibrium
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.callbacks.position import Position
from anime_dcgan.training.callbacks.progress import ProgressBar
from anime_dcgan.training.callbacks.provenance import Provenance
from anime_dcgan.training.callbacks.samples import Samples
from anime_dcgan.training.callbacks.threads import restored_threads
from anime_dcgan.training.checkpoint_io import AtomicCheckpointIO
from anime_dcgan.training.errors import (
    explained_errors,
    explained_refusals,
    keyboard_interrupts,
    reported_once,
)
from anime_dcgan.training.forecast import log_forecast
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now, total_images
from anime_dcgan.training.logger import check_folder
from anime_dcgan.training.optimizers import check_optimizers
from anime_dcgan.training.origin import begin_from
from anime_dcgan.training.outputs import Incomplete, Outputs
from anime_dcgan.training.records import Records, make_loggers
from anime_dcgan.training.resume import check_checkpoint
from anime_dcgan.training.trainer import Trainer, check_launched, check_trainer

__all__ = ["Incomplete", "Interrupted", "Unfinished", "fit"]


class Unfinished(UserError):
    """The training ended before its budget, by `trainer.max_time` for instance; it is saved.

    `missing` are the files that could not be written.
    """

    def __init__(self, end: str, missing: Sequence[str] = ()) -> None:
        super().__init__(end)
        self.missing = list(missing)


def fit(
    config: DictConfig,
    run_dir: Path,
    ckpt_path: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    data: FacesDataModule | None = None,
) -> GAN:
    """Train as configured and return the trained module.

    `callbacks` run in addition to those of the configuration, and `data` are those of `make_data`
    if it was called before. Raises `UserError` for mistakes that the user can fix, `Interrupted`
    after a signal, `Unfinished` if something else than a budget or an equilibrium ended the
    training, and `Incomplete` after a training that could not write all of its files.
    """
    _silence_lightning()
    retain_freed_memory()
    check_trainer(config)
    data = data or make_data(config)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    torch.manual_seed(config.seed)  # for the initial weights; each step seeds itself
    module: GAN = instantiate(config.gan)
    trainer = _make_trainer(config, [Provenance(plain), Position(), *callbacks], run_dir)
    check_launched(trainer)
    with (
        restored_threads(),
        keyboard_interrupts(),
        reported_once(trainer),
        explained_errors(config),
        _missing_after(trainer.outputs),
    ):
        for samples in callbacks_of(trainer, Samples):
            samples.check_size(module.generator)
        data.check_space()
        if ckpt_path is None:
            begin_from(module, config.init)
        check_optimizers(module, trainer.strategy.root_device)
        if ckpt_path is not None:
            check_checkpoint(Path(ckpt_path), config, data, trainer, module)
        elif trainer.progress_bar_callback is not None:
            log_forecast(trainer, module, data)
        trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
    if not _is_finished(trainer, module):
        raise Unfinished(_describe_end(trainer, module), trainer.outputs.missing)
    if trainer.is_global_zero:
        _finish(config, run_dir, trainer, module)
    return module


def make_data(config: DictConfig) -> FacesDataModule:
    """Return the data module, and set the names of the classes, which it reads from the data.

    No picture is decoded.
    """
    data: FacesDataModule = instantiate(config.datamodule)
    names = list(data.label_names)
    if config.model.labels and list(config.model.labels) != names:
        raise UserError(
            "model.labels is set by the data: use data.labels=folders, for instance, instead"
        )
    if names:
        config.model.labels = names
    return data


def _finish(config: DictConfig, run_dir: Path, trainer: Trainer, module: GAN) -> None:
    """Record that the training finished; raise `Incomplete` if a file could not be written."""
    outputs, images, epochs = trainer.outputs, module.images_seen, epoch_now(trainer)
    (clock,) = callbacks_of(trainer, TrainingClock)
    outputs.attempt(
        run_dir / FINISHED,
        lambda: write_finished(run_dir, config, images, epochs, clock.hours),
        consequence="a sweep would resume this run",
    )
    if outputs.missing:
        raise Incomplete(outputs.missing)


@contextmanager
def _missing_after(outputs: Outputs) -> Iterator[None]:
    """Give `Interrupted` the list of what could not be written."""
    try:
        yield
    except Interrupted as end:
        end.missing = outputs.missing
        raise


def _is_finished(trainer: Trainer, module: GAN) -> bool:
    """Return True if a budget or, on the first process, an equilibrium ended the training."""
    epochs = trainer.max_epochs
    return (
        not trainer.is_global_zero
        or (epochs is not None and 0 <= epochs <= epoch_now(trainer))
        or any(budget.is_spent(trainer, module) for budget in callbacks_of(trainer, Budget))
        or any(each.ends_training for each in callbacks_of(trainer, Equilibrium))
    )


def _describe_end(trainer: Trainer, module: GAN) -> str:
    total = total_images(trainer)
    of_total = "" if total is None else f" of {total:,}"
    return f"stopped at {module.images_seen:,}{of_total} images"


def _make_trainer(config: DictConfig, extra: Sequence[Callback], run_dir: Path) -> Trainer:
    settings = config.trainer.copy()
    if settings.precision == "auto":
        settings.precision, reason = precision.choose(settings.accelerator)
        log(f"precision {settings.precision}: {reason}")
    nodes = (config.callbacks or {}).values()  # an experiment may set keys of absent callbacks
    callbacks = [instantiate(node) for node in nodes if node and "_target_" in node]
    loggers = make_loggers(config.logger, run_dir)
    for each in loggers:
        check_folder(each)
    with explained_refusals(config.trainer):
        return instantiate(
            settings,
            callbacks=[*callbacks, Records(run_dir), *extra],
            logger=loggers,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=str(run_dir),
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        )


def _silence_lightning() -> None:
    """Silence Lightning's tips, and its warnings about choices that are deliberate here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval")
    warnings.filterwarnings("ignore", message="GPU available but not used")  # trainer=cpu
    warnings.filterwarnings("ignore", message="Found .* in eval mode")  # fixed networks
    warnings.filterwarnings("ignore", message="You requested to overfit")  # FaceBatches repeats
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")  # its own code
