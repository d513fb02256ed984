"""Check of settings against the signatures of the classes that they are passed to.

The constructor's signature is the schema: no second list of settings is needed, and torch is
not imported before Hydra has accepted the overrides.
"""

import importlib.util
import inspect
import math
import types
import typing
from collections.abc import Iterator
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, ListConfig, OmegaConf

from anime_dcgan.cli.checks import format_value
from anime_dcgan.system.errors import UserError, first_line, needs_extra

EXTRAS = {"pytorch_optimizer": "optimizers"}
"""Packages that a configuration may name, and the extra that installs each."""
TYPE_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    type(None): "null",
}


def check_settings(config: DictConfig) -> None:
    """Raise `UserError` for a setting that its constructor does not accept, by name or by type."""
    for node, key in _nodes_with_target(config, ""):
        try:
            target = get_class(node["_target_"])
            parameters = inspect.signature(target).parameters
        except (ImportError, ValueError, TypeError) as error:
            raise _explain_import_error(key, str(node["_target_"]), error) from None
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for name in map(str, node):
            setting = _join(key, name)
            if name in parameters:
                _check_value(node, name, setting, parameters[name].annotation)
            elif not takes_any and not name.startswith("_"):
                owner = target.__qualname__
                raise UserError(f"{setting} is not a setting of {owner}: remove it with ~{setting}")


def _check_value(node: DictConfig, name: str, setting: str, annotation: Any) -> None:
    if OmegaConf.is_missing(node, name):
        return
    value, allowed = node[name], _plain_types(annotation)
    key = _interpolated_key(node, name) or setting
    if allowed and not _fits(value, allowed):
        raise UserError(f"{key}={format_value(value)} must be {_describe(allowed)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key}={value} must be finite: use a number")


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


def _plain_types(annotation: Any) -> tuple[Any, ...]:
    """Return the plain types, and tuples of them, that an annotation allows.

    The result is empty if it allows any other type. Tensors, which torch's optimizers accept as
    learning rates, are ignored: no setting can be one.
    """
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    members = tuple(member for member in members if getattr(member, "__module__", "") != "torch")
    return members if all(map(_is_plain, members)) else ()


def _is_plain(kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        return all(map(_plain_types, typing.get_args(kind)))
    return kind in TYPE_NAMES


def _describe(allowed: tuple[Any, ...]) -> str:
    """Return the types in prose, such as "a number or [a number, a number]"."""
    return " or ".join(map(_describe_one, allowed))


def _describe_one(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        items = (_describe(_plain_types(item)) for item in typing.get_args(kind))
        return f"[{', '.join(items)}]"
    return TYPE_NAMES[kind]


def _fits(value: Any, allowed: tuple[Any, ...]) -> bool:
    return any(_is_instance(value, kind) for kind in allowed)


def _is_instance(value: Any, kind: Any) -> bool:
    """Like `isinstance`, but booleans are not integers, integers are floats, and lists tuples."""
    if typing.get_origin(kind) is tuple:
        items = typing.get_args(kind)
        return (
            isinstance(value, ListConfig)
            and len(value) == len(items)
            and all(
                _fits(each, _plain_types(item)) for each, item in zip(value, items, strict=True)
            )
        )
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) or (kind is float and isinstance(value, int))
