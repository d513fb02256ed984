"""What all commands share: Hydra's grammar, and mistakes told in a line instead of a traceback."""

import functools
import importlib.util
import inspect
import math
import os
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from hydra.utils import get_class
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anime_dcgan.cli.hydra_errors import FULL_ERROR, Composition
from anime_dcgan.cli.overrides import OUTPUTS, misnamed
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR

USER_ERROR, INTERRUPTED = 2, 130  # exit statuses
PLAIN = (bool, int, float, str)
EXTRAS = {"pytorch_optimizer": "optimizers"}
"""Packages that a configuration may name, and the extra of ours that brings each."""

Task = Callable[[DictConfig], float | None]


def command(name: str) -> Callable[[Task], Callable[[], None]]:
    """Make a task the command that `conf/<name>.yaml` configures.

    What it returns is for Hydra's sweepers: a number that is to become small.
    """

    def decorate(task: Task) -> Callable[[], None]:
        composition = Composition()

        @functools.wraps(task)
        def run(config: DictConfig) -> float | None:
            composition.end()
            try:
                check_settings(config)
                return task(config)
            except (UserError, InstantiationException, OmegaConfBaseException) as error:
                message = mistake(error)
                if message is None or FULL_ERROR in os.environ:
                    raise
                if in_sweep():  # which records it, and goes on with the other jobs
                    raise
                fail(message)
            except KeyboardInterrupt:
                print("\nstopped", file=sys.stderr)
                raise SystemExit(INTERRUPTED) from None

        main = hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=name)(run)

        @functools.wraps(task)
        def start() -> None:
            try:
                with composition.refusals():
                    main()
            except UserError as error:
                fail(str(error))

        return start

    return decorate


def in_sweep() -> bool:
    """Whether this is one of the jobs of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def fail(message: str) -> NoReturn:
    """End with a line for the user."""
    print_error(message)
    raise SystemExit(USER_ERROR) from None


def print_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)


def instantiate(config: Any, **arguments: Any) -> Any:
    """Build what a configuration node describes; mistakes of the user come as `UserError`."""
    try:
        return hydra.utils.instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise


def mistake(error: Exception) -> str | None:
    """What the user can mend, in a line; None if it looks like a mistake of ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, InstantiationException):
        cause = error.__cause__ or error
        place = str(error).rpartition("full_key: ")[2] if "full_key: " in str(error) else ""
        return f"{place or 'the configuration'} cannot be built: {str(cause).splitlines()[0]}"
    if isinstance(error, OmegaConfBaseException):
        return str(error).splitlines()[0]
    return None


def check_settings(config: DictConfig) -> None:
    """Hold every setting against the constructor that it goes to: its name, and a plain value."""
    for node, place in _nodes_with_target(config, ""):
        try:
            target = get_class(node["_target_"])
            signature = inspect.signature(target)
        except (ImportError, ValueError, TypeError) as error:
            raise UserError(_not_there(place, str(node["_target_"]), error)) from None
        takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        for name in node:
            parameter = signature.parameters.get(str(name))
            setting = f"{place}.{name}" if place else str(name)
            if parameter is None and not takes_any and not str(name).startswith("_"):
                raise UserError(
                    f"{setting} is no setting of {target.__qualname__}: ~{setting} leaves it out"
                )
            if parameter is None or OmegaConf.is_missing(node, name):
                continue
            value, allowed = node[name], _plain_types(parameter.annotation)
            key = _where_set(node, name) or setting
            if allowed and not _fits(value, allowed):
                kind = "list" if isinstance(value, ListConfig) else type(value).__name__
                raise UserError(f"{key}={value} is a {kind}: give {_words(allowed)}")
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{key}={value} is not finite: give a number")


def check_whole_number(config: DictConfig, name: str, least: int = 1) -> None:
    """Hold a command's own setting, which no constructor takes, against what it is to be."""
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{name}={value} is no whole number: use {name}={least} or more")
    if value < least:
        raise UserError(f"{name}={value} is too small: use {name}={least} or more")


def check_switch(config: DictConfig, name: str) -> None:
    """As `check_whole_number`, for true or false."""
    if not isinstance(config[name], bool):
        raise UserError(f"{name}={config[name]} is neither true nor false")


def check_run_name(words: list[str]) -> None:
    """End with a line where `run=...` names no folder below that of all runs."""
    if (word := misnamed(words)) is not None:
        fail(f"{word} names no folder below {OUTPUTS}/: use run=first")


def _not_there(place: str, target: str, error: Exception) -> str:
    package = target.partition(".")[0]
    if package in EXTRAS and importlib.util.find_spec(package) is None:
        return (
            f'{place}._target_={target} needs a package more: pip install -e ".[{EXTRAS[package]}]"'
        )
    return f"{place}._target_={target}: {error}"


def _where_set(node: DictConfig, name: Any) -> str | None:
    """The setting that `${...}` stands for."""
    if not OmegaConf.is_interpolation(node, name):
        return None
    return str(OmegaConf.to_container(node, resolve=False)[name])[2:-1]  # type: ignore[index]


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "null",
}


def _nodes_with_target(config: Any, place: str) -> Iterator[tuple[DictConfig, str]]:
    if not isinstance(config, DictConfig) or config._is_none():
        return
    if "_target_" in config:
        yield config, place
    for key in map(str, config):
        if not OmegaConf.is_missing(config, key):
            inside = f"{place}.{key}" if place else key
            if not OmegaConf.is_interpolation(config, key):
                yield from _nodes_with_target(config[key], inside)


def _plain_types(annotation: Any) -> tuple[Any, ...]:
    """The plain types, and pairs and the like of them, that an annotation allows.

    Empty if it allows others, too. A tensor, as torch's optimizers allow for a rate, is none: no
    setting can be one.
    """
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    members = tuple(member for member in members if getattr(member, "__module__", "") != "torch")
    return members if all(map(_is_plain, members)) else ()


def _is_plain(kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        return all(map(_plain_types, typing.get_args(kind)))
    return kind in _WORDS


def _words(allowed: tuple[Any, ...]) -> str:
    """What to give, such as "a number or [a number, a number]"."""
    return " or ".join(map(_word, allowed))


def _word(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return f"[{', '.join(_words(_plain_types(item)) for item in typing.get_args(kind))}]"
    return _WORDS[kind]


def _fits(value: Any, allowed: tuple[Any, ...]) -> bool:
    return any(_is_a(value, kind) for kind in allowed)


def _is_a(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        items = typing.get_args(kind)
        return (
            isinstance(value, ListConfig)
            and len(value) == len(items)
            and all(_fits(one, _plain_types(item)) for one, item in zip(value, items, strict=True))
        )
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) or (kind is float and isinstance(value, int))
