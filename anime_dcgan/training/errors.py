"""Errors of Lightning and of memory, in the words of the settings that mend them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.errors import InstantiationException
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.cli.checks import format_value
from anime_dcgan.system.errors import UserError, first_line
from anime_dcgan.system.memory import is_out_of_memory
from anime_dcgan.system.paths import CONF_DIR
from anime_dcgan.training.callbacks.interrupt import Interrupted
from anime_dcgan.training.processes import report_once
from anime_dcgan.training.strategy import PlayerStrategy


@contextmanager
def keyboard_interrupts() -> Iterator[None]:
    """Raise Ctrl-C before the first step again: Lightning exits silently, with status 1."""
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


@contextmanager
def reported_once(trainer: Trainer) -> Iterator[None]:
    """Report the error of the process that fails first, and none of the others."""
    try:
        yield
    except Interrupted:  # in all processes
        raise
    except Exception as error:
        store = trainer.strategy.store if isinstance(trainer.strategy, PlayerStrategy) else None
        other = report_once(error, store, trainer.global_rank) if store is not None else None
        if other is None:
            raise
        raise other from error


@contextmanager
def explained_errors(config: DictConfig) -> Iterator[None]:
    """Raise refusals of Lightning, and failed allocations, as `UserError`."""
    try:
        with explained_refusals(config.trainer):
            yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(_explain_out_of_memory(config, error)) from error


@contextmanager
def explained_refusals(trainer: DictConfig) -> Iterator[None]:
    """Raise refusals of Lightning as `UserError` that names the setting and its default."""
    try:
        yield
    except MisconfigurationException as error:
        raise UserError(_explain_refusal(trainer, error)) from error
    except InstantiationException as error:
        if not isinstance(
            error.__cause__, MisconfigurationException | ValueError | TypeError | ImportError
        ):
            raise
        raise UserError(_explain_refusal(trainer, error.__cause__)) from error


def _explain_refusal(trainer: DictConfig, error: BaseException) -> str:
    """Return Lightning's reason, and the defaults of the settings that it names or quotes."""
    reason = first_line(error).rstrip(".")
    defaults: Any = OmegaConf.load(CONF_DIR / "trainer" / "default.yaml")
    changed = {name: value for name, value in trainer.items() if value != defaults.get(name)}
    named = [name for name in changed if re.search(rf"\b{name}\b", reason)]
    quoted = [name for name, value in changed.items() if str(value) in reason]
    if not (names := named or quoted):
        return f"Lightning refuses these settings: {reason}"
    received = " ".join(f"trainer.{name}={format_value(changed[name])}" for name in names)
    fix = " ".join(f"trainer.{name}={format_value(defaults.get(name))}" for name in names)
    return f"Lightning refuses {received} ({reason}): use {fix}"


def _explain_out_of_memory(config: DictConfig, error: Exception) -> str:
    """Return the sizes that were tried, and smaller ones."""
    size, parts = config.data.batch_size, config.gan.accumulate
    fix = f"data.batch_size={size // 2} gan.accumulate={2 * parts}"
    if size == 1:
        fix = "a smaller data.image_size, or narrower networks (model.*width)"
    if not config.gan.recompute:
        fix += ", or gan.recompute=true"
    return (
        f"out of memory with data.batch_size={size}, gan.accumulate={parts}, "
        f"gan.fakes_per_real={config.gan.fakes_per_real} and "
        f"data.image_size={config.data.image_size} ({first_line(error):.120}): use {fix}"
    )
