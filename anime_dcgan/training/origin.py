"""The start of a new run from the weights of another: networks and moving average only.

Weights and statistics are taken by name, where shape and type agree, and those of a class by the
name of the class. Layers of a discriminator are counted from the image on, or from the logit back
if more fits then, as it does with images of another size. Integers of the state are not taken: they
count batches, or hold the size to which networks have grown.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from anime_dcgan.cli.overrides import OUTPUTS
from anime_dcgan.model.freezing import frozen_tensors
from anime_dcgan.run import checkpoint
from anime_dcgan.run.checkpoint import MODEL_PACKAGE
from anime_dcgan.run.origin import Origin, parse_origin
from anime_dcgan.run.runs import find_checkpoint, find_run
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.reader import refuse_damage
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.resume import name_weights

NETWORKS = {"generator": "generator", "discriminator": "discriminator", "generator_ema": "average"}
"""The networks in a checkpoint, and their names in messages."""
RUN = "run:"
MAX_NAMED = 3
"""Weights or classes that a message names."""
AXES_OF_CLASSES = {
    "embed.weight": 0,
    "label_vectors.weight": 1,
    "label_vectors.parametrizations.weight.original": 1,
}
"""Weights that belong to classes, by the end of their names, and the axis of the classes."""
NORM_OF_CLASSES = "label_vectors.parametrizations.weight.0."
LAYER = re.compile(r"discriminator\.layers\.(\d+)\.")

State = dict[str, Tensor]


def begin_from(module: GAN, init: DictConfig) -> None:
    """Give the networks the weights that fit of the checkpoint that `init` names; log how many.

    Raises `UserError` if there is none, if nothing fits, if the weights are not finite, or if they
    leave one of the layers that are kept without its weights.
    """
    if init["from"] is None:
        return
    setting = f"init={init['from']}"
    path = _find_checkpoint(str(init["from"]), str(init.epoch))
    with _named(setting):
        contents = checkpoint.read(path)
        _check_model(module, contents["config"])
    own = {name: _floats(getattr(module, name)) for name in NETWORKS}
    before = _labels(contents["config"])
    saved = _by_class(contents["state_dict"], own, before, module.generator.labels)
    saved = _by_depth(saved, own["discriminator"])
    fitting = {name: _fitting(own[name], saved, name) for name in NETWORKS}
    if not any(name.startswith("generator.") for name in saved):  # of an exported generator
        fitting["generator"] = dict(fitting["generator_ema"])
    obstacle = _obstacle_to_discriminator(module, contents)
    if obstacle is not None:
        fitting["discriminator"] = {}
    fitting["generator_ema"] = fitting["generator"] | fitting["generator_ema"]
    _check_fitting(fitting, setting, path, _sizes(contents["config"]))
    _check_frozen(module, own["discriminator"], fitting["discriminator"], init.freeze)
    with _named(setting), refuse_damage(path):
        new_labels = [name for name in module.generator.labels if name not in before]
        module.origin = _describe(path, contents, own, fitting, new_labels)
    with torch.no_grad():
        for name, state in fitting.items():
            for key, tensor in state.items():
                own[name][key].copy_(tensor)
    _log(module.origin, saved, own, fitting, obstacle)
    _log_labels(before, module.generator.labels)


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """Name the setting in the error for a file that cannot be used."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{setting}: {error}") from None


def _find_checkpoint(source: str, epoch: str) -> Path:
    """Return the checkpoint of a run's name, of its folder, or that is a path itself."""
    if Path(source).suffix == ".ckpt" or Path(source).is_file():
        return Path(source)
    run = find_run(source.removeprefix(RUN), OUTPUTS, f"init={source}")
    return find_checkpoint(run, epoch, setting="init.epoch")


def _floats(network: nn.Module) -> State:
    return {
        name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()
    }


def _labels(config: dict[str, Any]) -> list[str]:
    """Return the names of the classes of a checkpoint's run."""
    model = config.get("model")
    names = model.get("labels") if isinstance(model, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _by_class(saved: State, own: dict[str, State], before: list[str], now: Sequence[str]) -> State:
    """Return the saved state with the weights of each class at the place of its name.

    Weights of new classes are those of this run. The vectors by which spectral normalisation
    estimates the norm of such weights are left out, unless the classes are the same.
    """
    if list(before) == list(now):
        return saved
    arranged = dict(saved)
    for network, tensors in own.items():
        for key, tensor in tensors.items():
            name = f"{network}.{key}"
            axes = [axis for end, axis in AXES_OF_CLASSES.items() if name.endswith(f".{end}")]
            if f".{NORM_OF_CLASSES}" in name:
                arranged.pop(name, None)
            elif axes and name in saved:
                arranged.pop(name)
                found = _arrange(saved[name], tensor, axes[0], before, now)
                arranged |= {} if found is None else {name: found}
    return arranged


def _arrange(
    saved: Tensor, own: Tensor, axis: int, before: list[str], now: Sequence[str]
) -> Tensor | None:
    """Return own weights with the saved ones of the classes of the same name.

    None if there are no such classes, or if the other dimension differs.
    """
    shared = [name for name in now if name in before]
    if not shared or saved.ndim != 2 or saved.shape[axis] != len(before):
        return None
    if saved.shape[1 - axis] != own.shape[1 - axis] or saved.dtype != own.dtype:
        return None
    there, here = ([names.index(name) for name in shared] for names in (before, list(now)))
    rows = saved.index_select(axis, torch.tensor(there, device=saved.device))
    return own.index_copy(axis, torch.tensor(here, device=own.device), rows.to(own.device))


def _by_depth(saved: State, own: State) -> State:
    """Return the saved state with the layers of its discriminator numbered as those that they fit.

    A discriminator of larger images begins with more layers, and ends with the same ones.
    """
    deeper = _last_layer(f"discriminator.{name}" for name in own) - _last_layer(saved)
    renumbered = {_renumber(name, deeper): tensor for name, tensor in saved.items()}
    return max(saved, renumbered, key=lambda state: _weights_that_fit(own, state))


def _last_layer(names: Iterable[str]) -> int:
    return max((int(match[1]) for name in names if (match := LAYER.match(name))), default=0)


def _renumber(name: str, deeper: int) -> str:
    """Return the name of a tensor with the number of its layer increased.

    >>> _renumber("discriminator.layers.5.weight", 3)
    'discriminator.layers.8.weight'
    """
    return LAYER.sub(lambda match: f"discriminator.layers.{int(match[1]) + deeper}.", name)


def _weights_that_fit(own: State, saved: State) -> int:
    return sum(tensor.numel() for tensor in _fitting(own, saved, "discriminator").values())


def _fitting(own: State, saved: State, network: str) -> State:
    """Return the saved tensors of a network that fit its own, by the names of these."""
    found = {name: saved.get(f"{network}.{name}") for name in own}
    return {
        name: tensor
        for name, tensor in found.items()
        if tensor is not None and (tensor.shape, tensor.dtype) == (own[name].shape, own[name].dtype)
    }


def _check_model(module: GAN, config: dict[str, Any]) -> None:
    """Raise `UserError` for a generator of another kind, which only chance could let fit."""
    there, here = _kinds(module, config, "generator")
    if there != here:
        raise UserError(
            f"the networks of that run are of model={there}, whose weights do not fit "
            f"model={here}: use model={there}, or init=null"
        )


def _obstacle_to_discriminator(module: GAN, contents: dict[str, Any]) -> str | None:
    """Return why the discriminator can take no weights; None if it can take those that fit."""
    if not any(name.startswith("discriminator.") for name in contents["state_dict"]):
        return "an exported generator comes without one"
    there, here = _kinds(module, contents["config"], "discriminator")
    if there != here:
        return f"that of the other run is of model/discriminator={there}, not {here}"
    saved, current = contents.get("pretrained"), module.discriminator.pretrained
    if (saved or {}) != current:
        return (
            f"its pretrained weights are {name_weights(current)}, and those of the other run "
            f"{name_weights(saved)}"
        )
    return None


def _kinds(module: GAN, config: dict[str, Any], player: str) -> tuple[str, str]:
    """Return the modules of a run's network and of the present one, if both are of this package."""
    model = config.get("model")
    settings = model.get(player) if isinstance(model, dict) else None
    saved = str(settings.get("_target_")) if isinstance(settings, dict) else ""
    names = (saved.rpartition(".")[0], type(getattr(module, player)).__module__)
    if not all(name.startswith(f"{MODEL_PACKAGE}.") for name in names):
        return "", ""
    there, here = (name.rpartition(".")[2] for name in names)
    return there, here


def _sizes(config: dict[str, Any]) -> str:
    """Return the sizes of the generator of a checkpoint's run, for a message."""
    model = config.get("model")
    settings = model.get("generator") if isinstance(model, dict) else None
    sizes = settings.items() if isinstance(settings, dict) else ()
    named = [f"{name!s:.40}={value}" for name, value in sizes if type(value) is int]
    return f"the sizes of that generator ({', '.join(named)})" if named else "its sizes"


def _check_fitting(fitting: dict[str, State], setting: str, path: Path, sizes: str) -> None:
    """Raise `UserError` unless some kernels or matrices fit, and all that fits is finite.

    `sizes` are those of the other run.
    """
    tensors = [tensor for state in fitting.values() for tensor in state.values()]
    if not any(tensor.ndim > 1 for tensor in tensors):
        raise UserError(
            f"{setting}: no weights of {path} fit the networks of this run: use {sizes}, or "
            "init=null"
        )
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise UserError(
            f"{setting}: the weights of {path} are not finite, because that training diverged: "
            "use an earlier epoch, init.epoch=..."
        )


def _check_frozen(module: GAN, own: State, fitting: State, count: int) -> None:
    """Raise `UserError` if a layer that the training keeps would have untrained weights."""
    kept = {tensor.data_ptr() for tensor in frozen_tensors(module.discriminator, count)}
    missing = [name for name in own if own[name].data_ptr() in kept and name not in fitting]
    if missing:
        raise UserError(
            f"init.freeze={count} keeps layers of the discriminator whose weights do not fit, such "
            f"as {missing[0]}: use init.freeze=0, or the sizes of that run"
        )


def _describe(
    path: Path,
    contents: dict[str, Any],
    own: dict[str, State],
    fitting: dict[str, State],
    new_labels: Sequence[str],
) -> Origin:
    """Return the origin of a run. Raises ValueError if the checkpoint's own is damaged."""
    taken = {name: [len(fitting[name]), len(own[name])] for name in NETWORKS}
    images, before = contents["images_seen"], contents.get("origin")
    if taken["generator"][0] < taken["generator"][1] or new_labels:
        generator_images = 0
    else:
        generator_images = images + (parse_origin(before).generator_images if before else 0)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    plain = {"run": _name(path), "epoch": contents["epochs_done"], "images": images}
    plain |= {"sha256": digest, "taken": taken, "generator_images": generator_images}
    return parse_origin(plain)


def _name(path: Path) -> str:
    """Return the name of the run below `outputs`, or the path of the run or checkpoint."""
    run = path.parent.parent if path.parent.name == "checkpoints" else path
    return str(run.relative_to(OUTPUTS) if run.is_relative_to(OUTPUTS) else run)


def _log(
    origin: Origin,
    saved: State,
    own: dict[str, State],
    fitting: dict[str, State],
    obstacle: str | None,
) -> None:
    """Log how many weights were taken, and name some of those that were not.

    `obstacle` is why the discriminator took none; None if it could.
    """
    counts = [
        f"{taken} of {total} of the {NETWORKS[name]}"
        for name, (taken, total) in origin.taken.items()
    ]
    log(
        f"begun from {origin.run}, epoch {origin.epoch:g}, {origin.images:,} images: weights taken "
        f"are {', '.join(counts)}"
    )
    if obstacle is not None:
        log(f"the discriminator begins from nothing: {obstacle}")
    missing = [
        _explain(f"{name}.{key}", tensor, saved)
        for name in ("generator", *(("discriminator",) if obstacle is None else ()))
        for key, tensor in own[name].items()
        if key not in fitting[name]
    ]
    if missing:
        log(f"new weights: {_few(missing)}")


def _log_labels(before: Sequence[str], now: Sequence[str]) -> None:
    """Log which classes of this run the other one knew, unless they are all the same."""
    if not now or set(before) == set(now):
        return
    parts = {
        "known": [name for name in now if name in before],
        "new": [name for name in now if name not in before],
        "left out": [name for name in before if name not in now],
    }
    log("labels: " + "; ".join(f"{part}: {_few(names)}" for part, names in parts.items() if names))


def _few(names: Sequence[str]) -> str:
    """Return names in one line, not too many of them."""
    more = f", and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(f"{name:.40}" for name in names[:MAX_NAMED]) + more


def _explain(name: str, tensor: Tensor, saved: State) -> str:
    """Return the name of a weight, with both shapes if the other run has it in another one."""
    if name not in saved:
        return name
    there, here = ("x".join(map(str, each.shape)) for each in (saved[name], tensor))
    return f"{name} ({here}, not {there})" if here != there else name
