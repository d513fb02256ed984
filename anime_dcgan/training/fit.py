"""Run one training: build everything from the configuration, then fit."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.command import instantiate
from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.run.outcome import write_finished
from anime_dcgan.system import precision
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error, first_line
from anime_dcgan.system.malloc import retain_freed_memory
from anime_dcgan.system.memory import is_out_of_memory
from anime_dcgan.training.callbacks.budget import Budget, total_images
from anime_dcgan.training.callbacks.equilibrium import Equilibrium
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.callbacks.periodic import callbacks_of, epoch_now
from anime_dcgan.training.callbacks.position import Position
from anime_dcgan.training.callbacks.progress import ProgressBar
from anime_dcgan.training.callbacks.provenance import Provenance
from anime_dcgan.training.checkpoint_io import AtomicCheckpointIO
from anime_dcgan.training.forecast import log_forecast
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.logger import missing_logs
from anime_dcgan.training.resume import check_checkpoint
from anime_dcgan.training.trainer import check_trainer

__all__ = ["Incomplete", "Interrupted", "Unfinished", "fit"]


class Unfinished(UserError):
    """The training ended before its budget, by `trainer.max_time` for instance; it is saved."""


class Incomplete(UserError):
    """The training is finished and saved, but its logs have gaps."""


def fit(
    config: DictConfig,
    run_dir: Path,
    ckpt_path: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> GAN:
    """Train as configured and return the trained module.

    `callbacks` run in addition to those of the configuration. Raises `UserError` for mistakes that
    the user can fix, `Interrupted` after a signal, `Unfinished` if something else than a budget or
    an equilibrium ended the training, and `Incomplete` after a training whose logs have gaps.
    """
    _silence_lightning()
    retain_freed_memory()
    check_trainer(config)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    torch.manual_seed(config.seed)  # for the initial weights; each step seeds itself
    module: GAN = instantiate(config.gan)
    data: FacesDataModule = instantiate(config.datamodule)
    trainer = _make_trainer(config, [Provenance(plain), Position(), *callbacks], run_dir)
    with _keyboard_interrupts(), _explained_errors(config):
        if ckpt_path is not None:
            check_checkpoint(Path(ckpt_path), config, data, trainer, module)
        elif trainer.progress_bar_callback is not None:
            log_forecast(trainer, module, data)
        trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
    if not _is_finished(trainer, module):
        raise Unfinished(_describe_end(trainer, module))
    if trainer.is_global_zero:
        write_finished(run_dir, config, module.images_seen, epoch_now(trainer))
        if missing := missing_logs(trainer):
            raise Incomplete(
                f"the training is finished and saved, but logs have gaps: {', '.join(missing)}. "
                "free some space, or use logger=none: the report reads scalars.jsonl instead"
            )
    return module


@contextmanager
def _keyboard_interrupts() -> Iterator[None]:
    """Raise Ctrl-C before the first step again: Lightning exits silently, with status 1."""
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


@contextmanager
def _explained_errors(config: DictConfig) -> Iterator[None]:
    """Raise refusals of Lightning, and failed allocations, as `UserError`."""
    try:
        yield
    except MisconfigurationException as error:
        raise UserError(f"Lightning refuses these settings: {first_line(error)}") from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(_explain_out_of_memory(config, error)) from error


def _explain_out_of_memory(config: DictConfig, error: Exception) -> str:
    """Return the sizes that were tried, and smaller ones."""
    size, parts = config.data.batch_size, config.gan.accumulate
    fix = f"data.batch_size={size // 2} gan.accumulate={2 * parts}"
    if size == 1:
        fix = "a smaller data.image_size, or narrower networks (model.*width)"
    return (
        f"out of memory with data.batch_size={size}, gan.accumulate={parts}, "
        f"gan.fakes_per_real={config.gan.fakes_per_real} and "
        f"data.image_size={config.data.image_size} ({first_line(error):.120}): use {fix}"
    )


def _is_finished(trainer: Trainer, module: GAN) -> bool:
    """Return True if a budget or, on the first process, an equilibrium ended the training."""
    epochs, images = trainer.max_epochs, module.images_seen
    return (
        not trainer.is_global_zero
        or (epochs is not None and 0 <= epochs <= epoch_now(trainer))
        or any(budget.is_spent(images) for budget in callbacks_of(trainer, Budget))
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
    loggers: list[Logger] = [instantiate(node) for node in (config.logger or {}).values() if node]
    for each in loggers:
        _check_log_folder(each)
    return instantiate(
        settings,
        callbacks=[*callbacks, *extra],
        logger=loggers,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=str(run_dir),
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
    )


def _check_log_folder(logger: Logger) -> None:
    """Raise `UserError` if a logger cannot write: TensorBoard's thread would print a traceback."""
    if folder := logger.log_dir or logger.save_dir:
        existing = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
        with (
            explain_os_error(f"{folder} cannot be written", "use another run=..., or logger=none"),
            tempfile.TemporaryFile(dir=existing),
        ):
            pass


def _silence_lightning() -> None:
    """Silence Lightning's tips, and its warnings about choices that are deliberate here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval")
    warnings.filterwarnings("ignore", message="GPU available but not used")  # trainer=cpu
    warnings.filterwarnings("ignore", message="You requested to overfit")  # FaceBatches repeats
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")  # its own code
