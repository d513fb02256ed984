"""Validators that a command declares for its own settings.

A validator takes the name and the value of a setting and raises `UserError`, in one line, with the
override that fixes it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from anime_dcgan.system.errors import UserError

Check = Callable[[str, Any], None]


def check_command(config: DictConfig, checks: Mapping[str, Check]) -> None:
    """Apply each validator to the setting that it is declared for, such as `page.limit`."""
    for key, check in checks.items():
        check(key, OmegaConf.select(config, key))


def integer(minimum: int = 1, maximum: int | None = None, example: int | None = None) -> Check:
    """Accept an integer within the bounds, both included; the message suggests `example`."""
    suggestion = minimum if example is None else example

    def check(key: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            problem = "must be an integer"
        elif value < minimum:
            problem = f"must be at least {minimum}"
        elif maximum is not None and value > maximum:
            raise UserError(f"{key}={value} must be at most {maximum}: use {key}={maximum}")
        else:
            return
        raise UserError(f"{key}={format_value(value)} {problem}: use {key}={suggestion}")

    return check


def positive(example: float) -> Check:
    """Accept a finite number above 0."""
    return _number("a number above 0", lambda value: 0 < value < math.inf, example)


def fraction(example: float) -> Check:
    """Accept a number in [0, 1)."""
    return _number("a number in [0, 1)", lambda value: 0 <= value < 1, example)


def _number(expected: str, is_valid: Callable[[float], bool], example: float) -> Check:
    def check(key: str, value: Any) -> None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and is_valid(value)):
            raise UserError(f"{key}={format_value(value)} must be {expected}: use {key}={example}")

    return check


def boolean() -> Check:
    """Accept true and false."""

    def check(key: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise UserError(f"{key}={format_value(value)} must be true or false: use {key}=true")

    return check


def one_of(*choices: str) -> Check:
    """Accept one of these strings."""

    def check(key: str, value: Any) -> None:
        if value not in choices:
            options = join_or([f"{key}={choice}" for choice in choices])
            raise UserError(f"{key}={format_value(value)} is not an option: use {options}")

    return check


def extension(*extensions: str, folder: bool = False, example: str) -> Check:
    """Accept a path with one of these extensions in either case or, with `folder`, with none."""

    def check(key: str, value: Any) -> None:
        if not isinstance(value, str) or not Path(value).name:
            kind = "a file or folder" if folder else "a file"
            problem = f"must be the path of {kind}"
        elif Path(value).suffix.lower() in (*extensions, *([""] if folder else [])):
            return
        else:
            problem = f"must end in {join_or(extensions)}{', or be a folder' if folder else ''}"
        raise UserError(f"{key}={format_value(value)} {problem}: use {key}={example}")

    return check


def optional(check: Check) -> Check:
    """Accept null, too."""

    def check_unless_null(key: str, value: Any) -> None:
        if value is not None:
            check(key, value)

    return check_unless_null


def join_or(items: Sequence[str]) -> str:
    """Join items as in prose.

    >>> join_or(["ema"]), join_or(["ema", "raw"]), join_or(["auto", "cpu", "cuda"])
    ('ema', 'ema or raw', 'auto, cpu or cuda')
    """
    *most, last = items
    return f"{', '.join(most)} or {last}" if most else last


def format_value(value: Any) -> str:
    """Return a value as it is typed in an override.

    >>> format_value(None), format_value(True), format_value(0.5), format_value([1, None])
    ('null', 'true', '0.5', '[1,null]')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(format_value, value))}]"
    return str(value)
