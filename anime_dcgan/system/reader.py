"""The one reader of files that may come from strangers or be damaged, such as those of a run.

It opens regular files only: reading a pipe or a device may never end. It reads up to a size, and
YAML only up to a depth and without aliases, a few lines of which expand to gigabytes.
"""

import json
import math
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from anime_dcgan.system.errors import RefusedFileError, first_line, reason_of

MAX_BYTES = 16 * 1024**2
MAX_YAML_BYTES = 1024**2
MAX_DEPTH = 32
MAX_VALUES = 200_000
"""Maximum number of values in a YAML file or in the configuration of a checkpoint."""
MAX_INTEGER = 2**64

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@contextmanager
def refuse_damage(path: Path) -> Iterator[None]:
    """Raise errors of reading and parsing as `RefusedFileError`, except `FileNotFoundError`."""
    try:
        yield
    except (FileNotFoundError, RefusedFileError):
        raise
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RefusedFileError(path, reason_of(error)) from None


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises `FileNotFoundError` if it is missing, and `RefusedFileError` if it is anything else.
    """
    with refuse_damage(path):  # ValueError: a null byte in the path
        _check_regular(path, path.stat())
        return path.open("rb")


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in KINDS if is_kind(status.st_mode)), "no file")
        raise RefusedFileError(path, f"it is {kind}, not a regular file")


def read_bytes(path: Path, max_bytes: int = MAX_BYTES, truncate: bool = False) -> bytes:
    """Return the content of a regular file of at most `max_bytes`, or the start of a larger one.

    Raises `FileNotFoundError`, and `RefusedFileError` for a larger file unless `truncate`.
    """
    with refuse_damage(path), open_regular(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes and not truncate:
        raise RefusedFileError(path, f"it is larger than {max_bytes / 1e6:,.0f} MB")
    return content[:max_bytes]


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a UTF-8 file, without a byte order mark. Raises as `read_bytes` does."""
    with refuse_damage(path):
        return read_bytes(path, max_bytes).decode("utf-8-sig")


def read_json(path: Path, max_bytes: int = MAX_BYTES, **options: Any) -> Any:
    """Return the content of a JSON file; `options` are those of `parse_json`."""
    text = read_text(path, max_bytes)
    try:
        return parse_json(text, **options)
    except (ValueError, RecursionError) as error:
        raise RefusedFileError(path, f"it is not valid JSON ({first_line(error)})") from None


def parse_json(
    text: str | bytes, allow_nan: bool = True, parse_int: Callable[[str], float] | None = None
) -> Any:
    """Return the content of a JSON text.

    Raises ValueError if it is invalid, or has numbers that this package never writes: integers of
    more than 64 bits, and floats that overflow, such as 1e999.

    Parameters:
        allow_nan: accept NaN and Infinity, to which a measurement may come.
        parse_int: conversion of integers, such as float.
    """
    return json.loads(
        text,
        parse_float=_parse_finite,
        parse_int=parse_int or _parse_integer,
        parse_constant=float if allow_nan else _parse_finite,
    )


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.20} is not a finite number")
    return number


def _parse_integer(text: str) -> int:
    number = int(text)
    if abs(number) > MAX_INTEGER:
        raise ValueError("it has an integer of more than 64 bits")
    return number


def read_yaml(path: Path) -> Any:
    """Return the plain values in a YAML or JSON file."""
    with refuse_damage(path):
        text = read_text(path, MAX_YAML_BYTES)
        _check_events(text)
        content = yaml.load(text, LOADER)
        check_plain(content)
        return content


def _check_events(text: str) -> None:
    """Raise ValueError for aliases, and for nesting that would exhaust the stack of the parser."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has YAML aliases, which this package never writes")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def check_plain(content: Any) -> None:
    """Raise ValueError unless `content` is nested lists and dictionaries of plain values.

    A part that is referred to several times counts each time.
    """
    values = 0
    pending = [(content, 0)]
    while pending:
        value, depth = pending.pop()
        values += 1
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise ValueError(f"it is nested too deeply, or has more than {MAX_VALUES:,} values")
        if isinstance(value, dict):
            pending += [(key, depth + 1) for key in value]
            value = list(value.values())
        if isinstance(value, list):
            pending += [(item, depth + 1) for item in value]
        elif not isinstance(value, bool | int | float | str | None):
            raise ValueError(f"it has a value of type {type(value).__name__}")
        elif isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise ValueError("it has an integer of more than 64 bits")


def is_regular(path: Path) -> bool:
    """Return True if `path` is a regular file; False also if it cannot be looked up."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def modified(path: Path) -> int:
    """Return when a file was last written, in ns; 0 if it cannot be looked up."""
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if it is missing or damaged."""
    try:
        content = read_json(path)
    except (FileNotFoundError, RefusedFileError):
        return {}
    return content if isinstance(content, dict) else {}


def read_list(path: Path, name: str, numbers: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the list `name` of a JSON file's object; empty if it is missing or damaged.

    Only objects are returned, and only those in which each key of `numbers` is a number.
    """
    content, names = read_object(path).get(name), list(numbers)
    rows = content if isinstance(content, list) else []
    return [row for row in rows if isinstance(row, dict) and has_numbers(row, names)]


def is_number(value: Any) -> bool:
    """Return True for a finite integer or float, which a boolean is not.

    >>> is_number(2), is_number(True), is_number(float("nan")), is_number(10**400)
    (True, False, False, False)
    """
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and abs(value) <= sys.float_info.max


def has_numbers(row: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Return True if `row` has each of these keys, with a number, which may be NaN or infinite."""
    values = (row.get(name) for name in names)
    return all(isinstance(value, int | float) for value in values)
