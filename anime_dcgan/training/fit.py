"""One training, from its configuration to its end: build everything, then fit."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.command import instantiate
from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.run.outcome import write_finished
from anime_dcgan.system import precision
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.malloc import retain_freed_memory
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.callbacks.periodic import epoch_now
from anime_dcgan.training.callbacks.progress import ProgressBar
from anime_dcgan.training.callbacks.provenance import Provenance
from anime_dcgan.training.checkpoint_io import AtomicCheckpointIO
from anime_dcgan.training.gan import GAN

__all__ = ["Interrupted", "fit"]


def fit(
    config: DictConfig,
    run_dir: Path,
    ckpt_path: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> GAN:
    """Train as the configuration says and return the trained module.

    `callbacks` look on beside those of the configuration.
    Raises `UserError` for what the user can mend and `Interrupted` after Ctrl-C.
    """
    _keep_quiet()
    retain_freed_memory()
    _refuse_settings_of_one_optimizer(config.trainer)
    if not 0 <= config.seed < 2**63:
        raise UserError(f"seed={config.seed} seeds nothing: use a whole number from 0 on, seed=0")
    plain: Any = OmegaConf.to_container(config, resolve=True)
    torch.manual_seed(config.seed)  # decides the initial weights; later steps seed themselves
    module: GAN = instantiate(config.gan)
    data: FacesDataModule = instantiate(config.datamodule)
    trainer = _make_trainer(config, [Provenance(plain), *callbacks], run_dir)
    trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
    if trainer.is_global_zero:
        write_finished(run_dir, config, module.images_seen, epoch_now(trainer))
    return module


def _make_trainer(config: DictConfig, more: Sequence[Callback], run_dir: Path) -> Trainer:
    settings = config.trainer.copy()
    if settings.precision == "auto":
        settings.precision, reason = precision.choose(settings.accelerator)
        log(f"precision {settings.precision}: {reason}")
    nodes = (config.callbacks or {}).values()  # an experiment may set keys of absent callbacks
    callbacks = [instantiate(node) for node in nodes if node and "_target_" in node]
    loggers: list[Logger] = [instantiate(node) for node in (config.logger or {}).values() if node]
    return instantiate(
        settings,
        callbacks=[*callbacks, *more],
        logger=loggers,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=str(run_dir),
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
    )


def _refuse_settings_of_one_optimizer(trainer: DictConfig) -> None:
    """Lightning has them for its own optimization, and here are two players."""
    clip, accumulate = trainer.get("gradient_clip_val"), trainer.get("accumulate_grad_batches", 1)
    if clip is not None:
        raise UserError(
            f"trainer.gradient_clip_val={clip} knows one optimizer, and a GAN has two: "
            f"use gan.clip_gradient_norm={clip}"
        )
    if accumulate != 1:
        raise UserError(
            f"trainer.accumulate_grad_batches={accumulate} knows one optimizer, and a GAN has two: "
            f"use gan.accumulate={accumulate}"
        )


def _keep_quiet() -> None:
    """Silence what Lightning says of choices that are deliberate here, and its advertising."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval")
    warnings.filterwarnings("ignore", message="GPU available but not used")  # trainer=cpu
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")  # its own code
