"""Validators that a command declares for its own settings.

A validator takes the name and the value of a setting and raises `UserError`, in one line, with the
override that fixes it.
"""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from anime_dcgan.system.errors import UserError

Check = Callable[[str, Any], object]
MAX_NAME_BYTES, MAX_PATH_BYTES = 255, 4096
"""Limits of common file systems."""
WEB_ADDRESS = re.compile(r"https?://[^\s/?#]+(?:[/?#]\S*)?", re.IGNORECASE)
MAX_SHOWN = 40  # characters of a long value in a message


def check_command(config: DictConfig, checks: Mapping[str, Check]) -> None:
    """Apply each validator to the setting that it is declared for, such as `page.limit`."""
    for key, check in checks.items():
        group, _, name = key.rpartition(".")
        node = OmegaConf.select(config, group) if group else config
        if not isinstance(node, DictConfig):
            raise UserError(f"{group}={format_value(node)} has no {name}: remove {group}=...")
        if OmegaConf.is_missing(node, name):
            raise UserError(f"{key}=??? has no value: use {key}=...")
        check(key, node.get(name))


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


def number(example: float) -> Check:
    """Accept a finite number."""
    return _number("a number", math.isfinite, example)


def positive(example: float) -> Check:
    """Accept a finite number above 0."""
    return _number("a number above 0", lambda value: 0 < value < math.inf, example)


def fraction(example: float) -> Check:
    """Accept a number in [0, 1)."""
    return _number("a number in [0, 1)", lambda value: 0 <= value < 1, example)


def interval(low: float, high: float, example: float) -> Check:
    """Accept a number in [low, high]."""
    expected = f"a number from {low:g} to {high:g}"
    return _number(expected, lambda value: low <= value <= high, example)


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


@dataclass(frozen=True)
class Text:
    """Accept text that is not blank; `run=3e8` and `run=true` are text as they are typed.

    Attributes:
        expected: what the text is, for the message.
        example: value that the message suggests.
        is_path: True if the text is the path of a file or folder.
    """

    expected: str
    example: str
    is_path: bool = False

    def __call__(self, key: str, value: Any) -> None:
        if not isinstance(value, str) or not value.strip():
            raise UserError(
                f"{key}={format_value(value)} must be {self.expected}: use {key}={self.example}"
            )
        if self.is_path and (problem := invalid_path(value)):
            raise UserError(f"{key}={shorten(value)} {problem}: use {key}={self.example}")


def web_address(example: str) -> Check:
    """Accept the address of a page on the web, which a link opens and which runs no script."""

    def check(key: str, value: Any) -> None:
        is_text = isinstance(value, str) and value.isprintable()
        if not (is_text and WEB_ADDRESS.fullmatch(value)):
            received = shorten(format_value(value))
            raise UserError(f"{key}={received} is not an address of the web: use {key}={example}")

    return check


def file_path(example: str) -> Check:
    """Accept the path of a file or folder, which need not exist."""
    return Text("a path", example, is_path=True)


def named_path(example: str) -> Check:
    """Accept the path of a folder to write, which is not the working directory."""
    check_path = file_path(example)

    def check(key: str, value: Any) -> None:
        check_path(key, value)
        if Path(value).name in ("", ".."):
            raise UserError(
                f"{key}={value} does not end in the name of a folder: use {key}={example}"
            )

    return check


def invalid_path(value: str) -> str | None:
    """Return why no file system takes a path; None if it may."""
    if any(ord(character) < 32 for character in value):
        return "has a control character"
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in Path(value).parts):
        return f"has a name of more than {MAX_NAME_BYTES} bytes"
    return "is too long" if len(os.fsencode(value)) >= MAX_PATH_BYTES else None


def node() -> Check:
    """Accept a group of settings."""

    def check(key: str, value: Any) -> None:
        if not isinstance(value, DictConfig):
            raise UserError(
                f"{key}={format_value(value)} must be a group of settings: remove {key}=..."
            )

    return check


def nodes() -> Check:
    """Accept groups of settings by name, some of them null."""

    def check(key: str, value: Any) -> None:
        node()(key, value)
        for name in value:
            optional(node())(f"{key}.{name}", value[name])

    return check


@dataclass(frozen=True)
class Several:
    """Accept a value, or a list of values that is not empty.

    Attributes:
        check: validator of each value.
        example: value that the message suggests.
        or_null: accept null, too.
    """

    check: Check
    example: str
    or_null: bool = False

    def __call__(self, key: str, value: Any) -> None:
        if value is None and self.or_null:
            return
        if isinstance(value, ListConfig) and not value:
            raise UserError(f"{key}=[] is empty: use {key}={self.example}")
        for each in value if isinstance(value, ListConfig) else [value]:
            self.check(key, each)


def extension(*extensions: str, folder: bool = False, example: str) -> Check:
    """Accept a path with one of these extensions in either case.

    With `folder` accept one without extension too, and any that ends with a slash.
    """
    expected = f"the path of {'a file or folder' if folder else 'a file'}"
    check_path = Text(expected, example, is_path=True)

    def check(key: str, value: Any) -> None:
        check_path(key, value)
        suffix = Path(value).suffix.lower()
        if not Path(value).name:
            problem = f"must be {expected}"
        elif suffix in extensions or (folder and (not suffix or value.endswith("/"))):
            return
        else:
            problem = f"must end in {join_or(extensions)}{', or be a folder' if folder else ''}"
        raise UserError(f"{key}={format_value(value)} {problem}: use {key}={example}")

    return check


RUN = Text("latest, or the name or path of a run", "latest", is_path=True)


def epoch_name() -> Check:
    """Accept last, best, the number of an epoch, or the path of a checkpoint."""
    check_path = Text("last, best, a number or the path of a checkpoint", "last", is_path=True)

    def check(key: str, value: Any) -> None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        check_path(key, str(value) if is_number else value)

    return check


def optional(check: Check) -> Check:
    """Accept null, too."""

    def check_unless_null(key: str, value: Any) -> None:
        if value is not None:
            check(key, value)

    return check_unless_null


def shorten(text: str) -> str:
    """Return the beginning of a text that is too long for a message.

    >>> shorten("a" * 100)
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'
    """
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


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
