"""Check of settings against the signatures of the classes that they are passed to.

The constructor's signature is the schema: no second list of settings is needed, and torch is
not imported before Hydra has accepted the overrides.
"""

import importlib.util
import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, open_dict

from anime_dcgan.cli import annotations
from anime_dcgan.cli.checks import format_value
from anime_dcgan.cli.groups import options, parse
from anime_dcgan.system.errors import UserError, first_line, needs_extra
from anime_dcgan.system.memory import is_out_of_memory

EXTRAS = {"pytorch_optimizer": "optimizers"}
"""Packages that a configuration may name, and the extra that installs each."""


def leave_out_settings(config: DictConfig, argv: list[str]) -> dict[str, str]:
    """Remove settings that were made for a part that the command line replaces by another one.

    `experiment=best_small` sets `model.discriminator.batch_norm`, which the discriminator of
    `model=biggan` does not have. Settings that the command line itself names stay, so that
    `check_settings` refuses them.

    Returns:
        The class that lacks each removed setting, by the name of the setting.
    """
    overrides = parse(argv)
    groups = {each.key_or_group for each in overrides if options(each.key_or_group)}
    if "experiment" not in groups:
        return {}
    replaced = [group.replace("/", ".") for group in groups]
    named = [each.key_or_group for each in overrides if each.key_or_group not in groups]
    removed = {}
    for node, key in list(_nodes_with_target(config, "")):
        if not any(_is_within(key, part) for part in replaced):
            continue
        target, parameters = _target_of(node, key)
        for name in _unknown_names(node, parameters):
            setting = _join(key, name)
            if not any(_is_within(setting, each) for each in named):
                with open_dict(node):
                    del node[name]
                removed[setting] = target.__qualname__
    return removed


def check_settings(config: DictConfig) -> None:
    """Raise `UserError` for a setting that its constructor does not accept, by name or by type."""
    for node, key in _nodes_with_target(config, ""):
        target, parameters = _target_of(node, key)
        unknown = _unknown_names(node, parameters)
        for name in map(str, node):
            setting = _join(key, name)
            if name in parameters:
                _check_value(node, name, setting, parameters[name].annotation)
            elif name in unknown:
                owner = target.__qualname__
                raise UserError(f"{setting} is not a setting of {owner}: remove it with ~{setting}")


def _target_of(node: DictConfig, key: str) -> tuple[type, Mapping[str, inspect.Parameter]]:
    """Return the class that a node names, and the parameters of its constructor."""
    try:
        target = get_class(node["_target_"])
        return target, inspect.signature(target).parameters
    except (ImportError, ValueError, TypeError) as error:
        if is_out_of_memory(error):
            raise
        raise _explain_import_error(key, str(node["_target_"]), error) from None


def _unknown_names(node: DictConfig, parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Return the settings of a node that are not parameters of its constructor."""
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return []
    return [name for name in map(str, node) if name not in parameters and not name.startswith("_")]


def _is_within(key: str, part: str) -> bool:
    """Return True if a setting is a part of the configuration, or lies in it."""
    return f"{key}.".startswith(f"{part}.")


def _check_value(node: DictConfig, name: str, setting: str, annotation: Any) -> None:
    if OmegaConf.is_missing(node, name):
        return
    value = node[name]
    key = _interpolated_key(node, name) or setting
    if not annotations.fits(value, annotation):
        expected = annotations.describe(annotation)
        raise UserError(
            f"{key}={format_value(value)} must be {expected}{_fix(key, value, expected)}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key}={value} must be finite: use a number")
    if isinstance(value, DictConfig) and "_target_" not in value:
        for item in map(str, value):
            _check_value(value, item, _join(setting, item), annotations.item_annotation(annotation))


def _fix(key: str, value: Any, expected: str) -> str:
    """Return what to do instead of giving a group of settings one value."""
    if expected != annotations.NODE:
        return ""
    group = key.replace(".", "/")
    if value in options(group):
        return f": use {group}={value}"
    return f": remove {key}={format_value(value)}"


def _explain_import_error(key: str, target: str, error: Exception) -> UserError:
    package = target.partition(".")[0]
    setting = f"{_join(key, '_target_')}={target}"
    if package in EXTRAS and importlib.util.find_spec(package) is None:
        return needs_extra(setting, EXTRAS[package])
    return UserError(f"{setting} cannot be imported: {first_line(error)}")


def _interpolated_key(node: DictConfig, name: str) -> str | None:
    """Return the setting that `${...}` refers to; None for a literal value."""
    if not OmegaConf.is_interpolation(node, name):
        return None
    return str(OmegaConf.to_container(node, resolve=False)[name])[2:-1]  # type: ignore[index]


def _nodes_with_target(config: Any, key: str) -> Iterator[tuple[DictConfig, str]]:
    """Yield each node that has a `_target_`, with its key; interpolated nodes are skipped."""
    if not isinstance(config, DictConfig) or config._is_none():
        return
    if "_target_" in config:
        yield config, key
    for name in map(str, config):
        if not OmegaConf.is_missing(config, name) and not OmegaConf.is_interpolation(config, name):
            yield from _nodes_with_target(config[name], _join(key, name))


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
