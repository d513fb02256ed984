"""Checkpoints are data: how they are read, safely and without Lightning.

A checkpoint holds tensors and the resolved configuration as plain values. Reading one never runs
code that it names: it is loaded with `weights_only=True`, and only classes of
`anime_dcgan.model` are built from it.
"""

import pickle
from pathlib import Path
from typing import Any

import torch

from anime_dcgan.model.base import Generator
from anime_dcgan.run import trusted
from anime_dcgan.run.runs import Weights
from anime_dcgan.system.errors import UserError, first_line

MODEL_PACKAGE = "anime_dcgan.model"
PREFIXES = {"ema": "generator_ema.", "raw": "generator."}


def read(path: Path, mmap: bool = True) -> dict[str, Any]:
    """The contents of a checkpoint of ours.

    With `mmap` the tensors stay on disk, and the file in use, as long as they are.
    """
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}") from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it is damaged, or it holds more than tensors and plain values "
            f"and could run code ({first_line(error)})"
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        reason = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise UserError(
            f"{path} cannot be read{reason}: it is damaged, or no checkpoint; name another one, "
            "such as that of an epoch"
        ) from None
    if not isinstance(contents, dict) or not {"state_dict", "config"} <= contents.keys():
        raise UserError(
            f"{path} is no checkpoint of anime_dcgan: it lacks weights or configuration"
        )
    return contents


def load_generator(path: Path, weights: Weights = "ema") -> Generator:
    """The generator of a checkpoint, averaged or raw, on the CPU, frozen, in evaluation mode.

    Raises `UserError` for a file that is missing, damaged, foreign or unsafe.
    """
    contents = read(path)
    prefix = PREFIXES[weights]
    state = {
        name.removeprefix(prefix): _own(tensor, path)
        for name, tensor in contents["state_dict"].items()
        if name.startswith(prefix)
    }
    with torch.device("meta"):  # nothing is allocated for sizes that the weights do not confirm
        settings = _generator_settings(contents["config"])
        generator = trusted.build(settings, MODEL_PACKAGE, Generator, path)
    try:
        generator.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise UserError(
            f"{path}: the weights do not fit the generator: {first_line(error)}"
        ) from None
    return generator.eval().requires_grad_(False)


def _own(tensor: Any, path: Path) -> Any:
    """A copy that leaves the file alone; refused where it stands for more than the file holds."""
    if not isinstance(tensor, torch.Tensor):
        return tensor
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        raise UserError(f"{path} is refused: its weights stand for more than it holds")
    return tensor.clone()


def _generator_settings(config: Any) -> Any:
    try:
        return config["model"]["generator"]
    except (KeyError, TypeError):
        return None
