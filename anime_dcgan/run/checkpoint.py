"""Read checkpoints safely and without Lightning.

A checkpoint holds tensors and the resolved configuration as plain values. Reading one never runs
code from it: it is loaded with `weights_only=True`, and only classes of `anime_dcgan.model` are
built from it.
"""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.model.uninitialised import uninitialised
from anime_dcgan.run import exported, trusted
from anime_dcgan.run.pickled import TensorStandIn, check_archive
from anime_dcgan.run.runs import Weights
from anime_dcgan.system.errors import NotFoundError, RefusedFileError, UserError, first_line
from anime_dcgan.system.memory import check_memory
from anime_dcgan.system.reader import check_plain, is_number, refuse_damage

MODEL_PACKAGE = "anime_dcgan.model"
COUNTS = ("images_seen", "epochs_done")
MAX_IMAGE_SIZE = 1024  # px
DEPTHS = ("blocks", "mapping_layers")
"""Settings that are numbers of layers, each with weights of its own."""
PREFIXES = {"ema": "generator_ema.", "raw": "generator."}


def read(path: Path, mmap: bool = True) -> dict[str, Any]:
    """Return the contents of a checkpoint of this program, or of an exported generator.

    With `mmap` the tensors stay on disk and keep the file in use for as long as they live.
    Raises `NotFoundError` for a file that is missing, `UserError` for one that is damaged, foreign
    or unsafe.
    """
    if path.name == exported.WEIGHTS:
        return exported.read_exported(path)
    try:
        _check_types(path, check_archive(path))
        fix = "use another checkpoint, or free some memory"
        check_memory(path.stat().st_size, str(path), fix)
        with refuse_damage(path):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError:
        raise NotFoundError(f"the checkpoint {path} does not exist") from None
    except RefusedFileError as error:
        reason = f"{error.reason}; use another checkpoint, such as that of an epoch"
        raise RefusedFileError(path, reason) from None
    except pickle.UnpicklingError:  # torch's text explains how to switch its protection off
        raise RefusedFileError(path, "it holds more than tensors and plain values") from None
    except (RuntimeError, EOFError) as error:
        raise RefusedFileError(path, f"it is damaged ({first_line(error)})") from None


def _check_types(path: Path, contents: dict[Any, Any]) -> None:
    """Raise `RefusedFileError` unless the parts that are read have the types we write."""
    state, config = contents.get("state_dict"), contents.get("config")
    if not isinstance(state, dict) or not isinstance(config, dict):
        raise RefusedFileError(
            path, "it is not a checkpoint of anime_dcgan: it lacks weights or configuration"
        )
    if not all(isinstance(k, str) and isinstance(v, TensorStandIn) for k, v in state.items()):
        raise RefusedFileError(path, "its weights are not tensors")
    if not all(is_number(contents.get(name)) for name in COUNTS):
        raise RefusedFileError(path, f"its {' or '.join(COUNTS)} is not a number")
    with refuse_damage(path):
        check_plain(config)


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
    """Return the generator of what `read` returned for `path`; see `load_generator`.

    Weights of 16 bits, such as those of a kept generator, are widened to 32.
    """
    saved = generator_state(contents, weights)
    if not saved:
        other = "raw" if weights == "ema" else "ema"
        raise UserError(f"{path} has no weights={weights}: use weights={other}")
    with uninitialised():  # allocates nothing before the weights confirm the sizes
        settings = generator_settings(contents, path)
        _check_depth(settings, len(saved), path)
        generator = trusted.build(settings, MODEL_PACKAGE, Generator, path)
    expected = generator.state_dict()
    state = {  # copies, which do not keep the file in use
        name: tensor.float() if tensor.dtype == torch.half else tensor.clone()
        for name, tensor in saved.items()
    }
    if any(state[name].dtype != expected[name].dtype for name in state.keys() & expected.keys()):
        raise RefusedFileError(path, "its weights have the wrong type")
    try:
        generator.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()  # the first line is a heading
        raise UserError(f"{path}: the weights do not fit the generator: {reason}") from None
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise UserError(
            f"{path}: the weights are not finite, because the training diverged: "
            "use an earlier epoch"
        )
    return generator.eval().requires_grad_(False)


def _check_depth(settings: Any, weights: int, path: Path) -> None:
    """Refuse settings of more layers than there are weights, which would take forever to build."""
    for name in DEPTHS:
        value = settings.get(name) if isinstance(settings, dict) else None
        if isinstance(value, int | float) and not value <= weights:
            raise UserError(f"{path} is refused: it has fewer weights than {name}={value} layers")


def generator_state(contents: dict[str, Any], weights: Weights) -> dict[str, Tensor]:
    """Return the weights and buffers of the averaged or raw generator by name."""
    prefix = PREFIXES[weights]
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in contents["state_dict"].items()
        if name.startswith(prefix)
    }


def generator_settings(contents: dict[str, Any], path: Path) -> Any:
    """Return the settings of the generator, or None. A few weights can ask for huge images."""
    model = contents["config"].get("model")
    settings = model.get("generator") if isinstance(model, dict) else None
    size = settings.get("image_size") if isinstance(settings, dict) else None
    if isinstance(size, int | float) and not size <= MAX_IMAGE_SIZE:
        raise UserError(f"{path} is refused: its images are larger than {MAX_IMAGE_SIZE} px")
    return settings
