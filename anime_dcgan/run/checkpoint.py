"""Read checkpoints safely and without Lightning.

A checkpoint holds tensors and the resolved configuration as plain values. Reading one never runs
code from it: it is loaded with `weights_only=True`, and only classes of `anime_dcgan.model` are
built from it.
"""

import pickle
from pathlib import Path
from typing import Any

import torch

from anime_dcgan.model.base import Generator
from anime_dcgan.run import trusted
from anime_dcgan.run.runs import Weights
from anime_dcgan.system.errors import NotFoundError, UserError, first_line

MODEL_PACKAGE = "anime_dcgan.model"
PREFIXES = {"ema": "generator_ema.", "raw": "generator."}


def read(path: Path, mmap: bool = True) -> dict[str, Any]:
    """Return the contents of a checkpoint of this program.

    With `mmap` the tensors stay on disk and keep the file in use for as long as they live.
    Raises `NotFoundError` for a file that is missing, `UserError` for one that is damaged, foreign
    or unsafe.
    """
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError:
        raise NotFoundError(f"the checkpoint {path} does not exist") from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it is damaged, or it holds more than tensors and plain values "
            f"and could run code ({first_line(error)})"
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        reason = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise UserError(
            f"{path} cannot be read{reason}: it is damaged or not a checkpoint; use another one, "
            "such as that of an epoch"
        ) from None
    if not isinstance(contents, dict) or not {"state_dict", "config"} <= contents.keys():
        raise UserError(
            f"{path} is not a checkpoint of anime_dcgan: it lacks weights or configuration"
        )
    return contents


def faces_of(contents: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the `Faces.fingerprint` in a checkpoint; empty where it is missing or malformed."""
    faces = contents.get("faces")
    if not isinstance(faces, dict):
        return {}
    return {name: part for name, part in faces.items() if isinstance(part, dict)}


def load_generator(path: Path, weights: Weights = "ema") -> Generator:
    """Return the averaged or raw generator of a checkpoint: on the CPU, frozen, in eval mode.

    Raises `UserError` as `read` does, and for weights that do not fit.
    """
    return build_generator(read(path), weights, path)


def build_generator(contents: dict[str, Any], weights: Weights, path: Path) -> Generator:
    """Return the generator of what `read` returned for `path`; see `load_generator`."""
    prefix = PREFIXES[weights]
    state = {
        name.removeprefix(prefix): _copy_tensor(tensor, path)
        for name, tensor in contents["state_dict"].items()
        if name.startswith(prefix)
    }
    with torch.device("meta"):  # allocates nothing before the weights confirm the sizes
        settings = _generator_settings(contents["config"])
        generator = trusted.build(settings, MODEL_PACKAGE, Generator, path)
    try:
        generator.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise UserError(
            f"{path}: the weights do not fit the generator: {first_line(error)}"
        ) from None
    return generator.eval().requires_grad_(False)


def _copy_tensor(tensor: Any, path: Path) -> Any:
    """Return a copy that does not keep the file in use. Raises `UserError` for expanded tensors."""
    if not isinstance(tensor, torch.Tensor):
        return tensor
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        raise UserError(f"{path} is refused: its weights are larger than their storage")
    return tensor.clone()


def _generator_settings(config: Any) -> Any:
    try:
        return config["model"]["generator"]
    except (KeyError, TypeError):
        return None
