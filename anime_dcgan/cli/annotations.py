"""Values of a configuration against the annotations of the parameters that receive them.

Only types that a configuration can express are told apart: plain values, lists, and nodes, from
which Hydra builds the object of any other class.
"""

import collections.abc
import inspect
import types
import typing
from typing import Any

from omegaconf import DictConfig, ListConfig

NODE = "a group of settings"
TYPE_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    type(None): "null",
}
LISTS = (list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable)
MAPPINGS = (dict, collections.abc.Mapping)


def fits(value: Any, annotation: Any) -> bool:
    """Return True if a value of a configuration can be passed to a parameter annotated so."""
    return any(_is_instance(value, kind) for kind in _members(annotation))


def describe(annotation: Any) -> str:
    """Return the accepted values in prose.

    >>> describe(int | None), describe(float | tuple[float, float])
    ('an integer or null', 'a number or [a number, a number]')
    """
    return " or ".join(dict.fromkeys(map(_describe_one, _members(annotation))))


def item_annotation(annotation: Any) -> Any:
    """Return the annotation of a mapping's values; `Any` if it is not one of a mapping."""
    items = (
        typing.get_args(kind)[1:] for kind in _members(annotation) if _origin(kind) in MAPPINGS
    )
    return next((item for (item,) in items), Any)


def _members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, with the types of literals.

    Tensors and time spans are left out, because no setting can be one.
    """
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [each for kind in typing.get_args(annotation) for each in _members(kind)]
    elif typing.get_origin(annotation) is typing.Literal:
        members = [type(value) for value in typing.get_args(annotation)]
    else:
        members = [annotation]
    absent = ("torch", "datetime")
    kept = [kind for kind in members if getattr(kind, "__module__", "") not in absent]
    return tuple(dict.fromkeys(kept))


def _origin(kind: Any) -> Any:
    return typing.get_origin(kind) or kind


def _is_path(kind: Any) -> bool:
    origin = _origin(kind)
    return isinstance(origin, type) and hasattr(origin, "__fspath__")


def _is_instance(value: Any, kind: Any) -> bool:
    """Like `isinstance`, but booleans are not integers, integers are floats, and lists tuples."""
    origin, items = _origin(kind), typing.get_args(kind)
    if kind in (Any, inspect.Parameter.empty) or isinstance(kind, str | typing.TypeVar):
        return True
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind in TYPE_NAMES:
        return isinstance(value, kind) or (kind is float and isinstance(value, int))
    if _is_path(kind):
        return isinstance(value, str)
    if origin is tuple:
        pairs = zip(value, items, strict=False) if isinstance(value, ListConfig) else ()
        return (
            isinstance(value, ListConfig)
            and len(value) == len(items)
            and all(fits(each, item) for each, item in pairs)
        )
    if origin in LISTS:
        return isinstance(value, ListConfig) and all(
            fits(each, items[0] if items else Any) for each in value
        )
    return isinstance(value, DictConfig)


def _describe_one(kind: Any) -> str:
    if kind in TYPE_NAMES:
        return TYPE_NAMES[kind]
    if _is_path(kind):
        return "a path"
    if _origin(kind) is tuple:
        return f"[{', '.join(map(describe, typing.get_args(kind)))}]"
    return "a list" if _origin(kind) in LISTS else NODE
