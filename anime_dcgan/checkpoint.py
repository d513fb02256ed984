"""Checkpoints are data: how they are read, safely and without Lightning, and how they are named.

A checkpoint holds tensors and the resolved configuration as plain values. Reading one never runs
code that it names: it is loaded with `weights_only=True`, and only classes of
`anime_dcgan.model` are built from it.
"""

import importlib
import pickle
import re
from pathlib import Path
from typing import Any, Literal

import torch

from anime_dcgan.errors import UserError
from anime_dcgan.model.base import Generator

MODEL_PACKAGE = "anime_dcgan.model."
PREFIXES = {"ema": "generator_ema.", "raw": "generator."}


def file_stem(epoch: float) -> str:
    """Name of what belongs to an epoch: `epoch=0070`, or `epoch=0070.250` within one."""
    return f"epoch={epoch:04.0f}" if epoch == int(epoch) else f"epoch={epoch:08.3f}"


def epoch_of(path: Path) -> float:
    """The epoch of a file that is named by `file_stem`."""
    match = re.fullmatch(r"epoch=(\d+(?:\.\d+)?)", path.with_suffix("").name)
    assert match is not None, path
    return float(match[1])


def by_epoch(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder that are named by `file_stem`, earliest epoch first."""
    return sorted(folder.glob(f"epoch=*{suffix}"), key=epoch_of)


def find_run(run: str, outputs: Path) -> Path:
    """The folder of a run: `latest`, a name below `outputs`, or a path."""
    if run in ("latest", "last"):
        runs = sorted(
            (path.parent.parent for path in outputs.glob("**/checkpoints/last.ckpt")),
            key=lambda folder: (folder / "checkpoints" / "last.ckpt").stat().st_mtime,
        )
        if not runs:
            raise UserError(f"no run with a checkpoint lies below {outputs}: name one with run=...")
        return runs[-1]
    for folder in (outputs / run, Path(run)):
        if (folder / "checkpoints").is_dir():
            return folder
    raise UserError(
        f"run={run} is no run: neither {outputs / run} nor {run} has a folder `checkpoints`"
    )


def find_checkpoint(run: Path, epoch: str) -> Path:
    """A checkpoint of a run: `last` (or `latest`), an epoch's number, or a path to the file."""
    if Path(epoch).is_file():
        return Path(epoch)
    folder = run / "checkpoints"
    if epoch in ("last", "latest"):
        path = folder / "last.ckpt"
    else:
        try:
            path = folder / f"{file_stem(float(epoch))}.ckpt"
        except ValueError:
            raise UserError(f"epoch={epoch} is neither `last`, a number nor a file") from None
    if not path.is_file():
        kept = [f"{epoch_of(kept):g}" for kept in by_epoch(folder, ".ckpt")]
        raise UserError(
            f"{run} has no checkpoint epoch={epoch}; it has: {_shorten(kept) or 'none'}"
        )
    return path


def _shorten(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 12 else [*names[:5], "...", *names[-5:]])


def read(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint of ours; the tensors stay on disk until they are used."""
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}") from None
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it is damaged, or it holds more than tensors and plain values "
            f"and could run code ({_first_line(error)})"
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {_first_line(error)}") from None
    if not isinstance(contents, dict) or not {"state_dict", "config"} <= contents.keys():
        raise UserError(
            f"{path} is no checkpoint of anime_dcgan: it lacks weights or configuration"
        )
    return contents


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def load_generator(path: Path, weights: Literal["ema", "raw"] = "ema") -> Generator:
    """The generator of a checkpoint, averaged or raw, on the CPU, frozen, in evaluation mode.

    Raises `UserError` for a file that is missing, damaged, foreign or unsafe.
    """
    contents = read(path)
    prefix = PREFIXES[weights]
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in contents["state_dict"].items()
        if name.startswith(prefix)
    }
    with torch.device("meta"):  # nothing is allocated for sizes that the weights do not confirm
        generator = _build(contents["config"], path)
    try:
        generator.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise UserError(
            f"{path}: the weights do not fit the generator: {_first_line(error)}"
        ) from None
    return generator.eval().requires_grad_(False)


def _build(config: dict[str, Any], path: Path) -> Generator:
    try:
        settings = dict(config["model"]["generator"])
        target = settings.pop("_target_")
        module_name, _, class_name = target.rpartition(".")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{path} does not say which generator it holds") from None
    plain = all(isinstance(value, int | float | bool | str | None) for value in settings.values())
    if not f"{module_name}.".startswith(MODEL_PACKAGE) or not plain:
        raise UserError(f"{path} is refused: {target!r} is no network of {MODEL_PACKAGE[:-1]}")
    try:
        network = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError):
        raise UserError(f"{path} names {target}, which this version does not have") from None
    if not (isinstance(network, type) and issubclass(network, Generator)):
        raise UserError(f"{path} is refused: {target} is no generator")
    try:
        return network(**settings)
    except (TypeError, RuntimeError, OverflowError) as error:
        raise UserError(f"{path}: {target} cannot be built: {_first_line(error)}") from None
