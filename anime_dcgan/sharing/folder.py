"""The two files of an exported generator that this program reads: see `run.exported`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from anime_dcgan import __version__
from anime_dcgan.model.base import Generator
from anime_dcgan.run.checkpoint import generator_settings
from anime_dcgan.run.digest import digest_of
from anime_dcgan.run.exported import COUNTS, DESCRIPTION, FORMAT, VERSION, WEIGHTS
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling.narrow import half_state, narrow_state, wide_state
from anime_dcgan.sampling.sample import image_side
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import sync, write_json

KEPT_SETTINGS = {"data": ("image_size", "holdout", "labels"), "trainer": ("precision",)}
"""Settings that `evaluate` needs, without any that name a file of this machine."""


def write_generator(
    folder: Path,
    generator: Generator,
    contents: Mapping[str, Any],
    path: Path,
    weights: Weights = "ema",
    half: bool | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write the description and the weights of a checkpoint's generator.

    Parameters:
        generator: what `run.checkpoint.build_generator` returned for these weights.
        contents: what `run.checkpoint.read` returned for `path`.
        half: True stores 16 bits, False 32; None stores 16 if they draw the same faces.
        facts: entries of the description that only people read.

    Raises OSError, and `UserError` for weights that exceed 16 bits.
    """
    state = _state(generator, half)
    settings = generator_settings(dict(contents), path)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(tensors, {"format": "pt"}))
    sync(folder / WEIGHTS)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "anime_dcgan": __version__,
        "digest": digest_of(settings, state),
        "weights": weights,
        **{name: contents[key] for key, name in COUNTS.items()},
        "image_size": image_side(generator),
        "latents": {"dim": generator.latent_dim, "distribution": "standard normal"},
        "labels": list(generator.labels),
        "noise_dim": generator.noise_dim,
        "style_layers": _style_layers(generator),
        "bits": 16 if is_narrow(state) else 32,
        **(facts or {}),
        "fingerprint": contents.get("faces"),
        "config": _config(contents["config"], settings),
    }
    write_json(folder / DESCRIPTION, description)


def is_narrow(state: Mapping[str, Tensor]) -> bool:
    """Return True if the weights have 16 bits."""
    floats = [tensor for tensor in state.values() if tensor.is_floating_point()]
    return all(tensor.element_size() == 2 for tensor in floats)


def _state(generator: Generator, half: bool | None) -> dict[str, Tensor]:
    if half is None:
        return narrow_state(generator)
    if not half:
        return wide_state(generator)
    state = half_state(generator)
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise UserError("half=true: some weights exceed 16 bits: use half=false")
    return state


def _style_layers(generator: Generator) -> int:
    latents = next(generator.parameters()).new_zeros(1, generator.latent_dim)
    return generator.styles(latents).shape[1]


def _config(config: Mapping[str, Any], settings: Any) -> dict[str, Any]:
    """Return the part of a checkpoint's configuration that its readers need."""
    kept: dict[str, Any] = {"model": {"generator": settings, "labels": settings.get("labels", [])}}
    for group, names in KEPT_SETTINGS.items():
        values = config.get(group)
        if isinstance(values, dict):
            kept[group] = {name: values.get(name) for name in names}
    return kept | {"seed": config.get("seed")}
