"""Checks of a checkpoint, before a training that resumes from it changes any file."""

import copy
from pathlib import Path
from typing import Any

from lightning import Trainer
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.optim import Optimizer

from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.run import checkpoint
from anime_dcgan.run.settings import check_resumable, check_same_faces
from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError, describe
from anime_dcgan.system.memory import is_out_of_memory
from anime_dcgan.training.callbacks import callbacks_of
from anime_dcgan.training.callbacks.epochs import Epochs
from anime_dcgan.training.checkpoint_io import AtomicCheckpointIO
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.optimizers import take_step

STATE = {
    **dict.fromkeys(("epoch", "global_step", "images_seen", "discriminator_steps"), int),
    **{"batches": dict, "callbacks": dict, "optimizer_states": list, "lr_schedulers": list},
}
"""The parts of a checkpoint that a training resumes from, and their types."""

KERNELS = {"foreach", "fused", "capturable"}
"""Settings of optimizers that choose how the same step is computed."""

MAX_COUNT = 2**53
"""Integers up to this one are exact as floats."""


def check_checkpoint(
    path: Path, config: DictConfig, data: FacesDataModule, trainer: Trainer, module: GAN
) -> None:
    """Raise `UserError` if the training cannot resume from a checkpoint.

    It must have been trained with the same critical settings on the same faces, and not beyond the
    budget, and its state must fit the networks and optimizers. The trainer loads what was checked.
    """
    if not path.is_file():  # Lightning would take "best" and "hpc" for words of its own
        raise UserError(
            f"ckpt_path={path} is not a file: use ckpt_path=last or the path of a checkpoint"
        )
    contents = checkpoint.read(path, mmap=False)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    check_resumable(contents["config"], plain)
    data.setup()
    for epochs in callbacks_of(trainer, Epochs):
        epochs.resolve(trainer, data)
    _check_budget(contents, trainer, config.max_kimg, data.step_size * trainer.world_size)
    check_same_faces(checkpoint.faces_of(contents), data.faces.fingerprint())
    _check_pretrained(contents.get("pretrained", {}), module.discriminator.pretrained)
    try:
        _check_counts(contents)
        _rehearse(contents, trainer, module)
    except Exception as error:  # whatever a hostile state makes torch and Lightning raise
        if is_out_of_memory(error):
            raise
        reason = str(error) if isinstance(error, ValueError) else describe(error)
        raise UserError(f"{path} cannot be resumed: {reason}") from None
    if isinstance(trainer.strategy.checkpoint_io, AtomicCheckpointIO):
        trainer.strategy.checkpoint_io.checked = contents


def _check_budget(
    contents: dict[str, Any], trainer: Trainer, max_kimg: float | None, step_images: int
) -> None:
    """Raise `UserError` if the run has more epochs or images than it may have.

    The last step may exceed a budget in images.
    """
    epochs, images = (_number(contents, name) for name in ("epochs_done", "images_seen"))
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs < epochs:
        raise UserError(
            f"this run has {epochs:g} epochs already: set trainer.max_epochs above that"
        )
    if max_kimg is not None and images >= 1000 * max_kimg + step_images:
        raise UserError(
            f"this run has {images:,} images already: set max_kimg above {images / 1000:g}"
        )


def _check_pretrained(saved: Any, current: dict[str, str]) -> None:
    """Raise `UserError` if the discriminator looks through other weights than it was trained on."""
    if saved != current:
        raise UserError(
            f"the checkpoint was trained with the pretrained weights {name_weights(saved)}, not "
            f"{name_weights(current)}: resume with those of that run, or start a new run: another "
            "run=..., without ckpt_path"
        )


def name_weights(pretrained: Any) -> str:
    """Return networks and the beginnings of the SHA-256 of their weights, as a checkpoint has them.

    Without a record, or with one of another kind, they are unknown.
    """
    if not isinstance(pretrained, dict):
        return "unknown"
    return ", ".join(f"{name!s:.40} {digest!s:.8}" for name, digest in pretrained.items()) or "none"


def _number(contents: dict[str, Any], name: str) -> float:
    """Return a number of a checkpoint, which may be a stranger's; 0 if it has none."""
    value = contents.get(name)
    return value if isinstance(value, int | float) else 0


def _check_counts(contents: dict[str, Any]) -> None:
    """Raise ValueError unless the checkpoint has a position that a training can have."""
    missing = [key for key, kind in STATE.items() if type(contents.get(key)) is not kind]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    batches, per_epoch = (contents["batches"].get(key) for key in ("total", "per_epoch"))
    counts = [batches, per_epoch, *(contents[key] for key in STATE if STATE[key] is int)]
    if not all(type(count) is int and 0 <= count < MAX_COUNT for count in counts):
        raise ValueError("its counts of steps, batches and images are invalid")
    if 0 in (batches, per_epoch) or contents["epochs_done"] != round(batches / per_epoch, 3):
        raise ValueError("its number of batches does not fit its number of epochs")


def _rehearse(contents: dict[str, Any], trainer: Trainer, module: GAN) -> None:
    """Load the state into copies, and take a step of the optimizers there. Raises if any fails."""
    _check_weights(contents["state_dict"], module.state_dict())
    for callback in trainer.callbacks:  # pyright: ignore[reportAttributeAccessIssue]
        if state := contents["callbacks"].get(callback.state_key):
            copy.copy(callback).load_state_dict(state)
    module = copy.deepcopy(module)
    module.load_state_dict(contents["state_dict"])
    module.on_load_checkpoint(contents)
    optimizers = module.configure_optimizers()
    take_step(module, optimizers)
    may_be_empty = precision.scales_gradients(trainer.precision_plugin)  # which skips some steps
    for optimizer, state, steps in zip(
        optimizers,
        contents["optimizer_states"],
        (module.generator_steps, module.discriminator_steps),
        strict=True,
    ):
        if state["state"] or (steps and not may_be_empty):
            expected = optimizer.state_dict()["state"]
            if module.growing is not None:  # layers that are not yet used have no state
                expected = {key: value for key, value in expected.items() if key in state["state"]}
            _check_complete(state["state"], expected)
        optimizer.load_state_dict(copy.deepcopy(state))  # steps change the tensors it is given
        _use_checked_kernels(optimizer)
    module.follow_schedules(optimizers)
    take_step(module, optimizers)


def _check_weights(saved: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name in {**saved, **expected}:
        shapes = [state[name].shape if name in state else None for state in (saved, expected)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the weights {name!r:.80} do not fit the networks")
        if not saved[name].isfinite().all():
            raise ValueError("its weights are not finite, because the training diverged")


def _check_complete(state: dict[int, Any], expected: dict[int, dict[str, Any]]) -> None:
    """Raise ValueError if the state of a parameter is missing or lacks a part."""
    for index, parts in expected.items():
        if missing := parts.keys() - state.get(index, {}).keys():
            names = ", ".join(sorted(missing))
            raise ValueError(f"the optimizer's state of parameter {index} lacks {names}")


def _use_checked_kernels(optimizer: Optimizer) -> None:
    """Choose the implementation that checks all shapes: fused kernels read beyond small tensors.

    Raises ValueError for a state that even shapes do not protect, because its elements overlap.
    """
    for group in optimizer.param_groups:
        for name, default in optimizer.defaults.items():
            is_flag = name in KERNELS or isinstance(default, bool)
            flag = group.get(name, default)  # Adafactor sets no group's `differentiable`
            if is_flag and not isinstance(flag, bool | None if name in KERNELS else bool):
                raise ValueError(f"the optimizer has {name}={flag!r:.40}")
        group |= dict.fromkeys(KERNELS & group.keys(), False)
    for parameter, state in optimizer.state.items():
        for value in state.values():
            if isinstance(value, Tensor) and not (
                value.is_contiguous() or value.stride() == parameter.stride()
            ):
                raise ValueError("the optimizer's state has no valid layout")
