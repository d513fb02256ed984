"""Sentences for requests that fail validation; pydantic's own name patterns and classes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

FORMS = {
    "epoch": "best, last, or a number such as 70",
    "layers": "a layer or a range of layers, such as 4-9",
    "id": "a direction such as sefa.0",
}
"""Values of the fields that have a pattern."""
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "dict": "an object",
    "list": "a list",
    "model": "an object",
}
Context = Mapping[str, Any]
SENTENCES: dict[str, Callable[[Context], str]] = {
    "missing": lambda context: "is missing",
    "extra_forbidden": lambda context: "is not a field of this request",
    "json_invalid": lambda context: "is not valid JSON",
    "finite_number": lambda context: "must be a finite number",
    "int_from_float": lambda context: "must be a whole number",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "literal_error": lambda context: f"must be {context['expected']}",
    "string_too_long": lambda context: f"has more than {context['max_length']} characters",
    "string_too_short": lambda context: "is empty",
    "too_long": lambda context: f"has more than {context['max_length']} items",
    "too_short": lambda context: f"needs at least {context['min_length']} items",
}


def describe_validation(errors: Sequence[Any]) -> str:
    """Return the first of pydantic's errors as a sentence without its subject's class or pattern.

    >>> describe_validation([{"loc": ("query", "epoch"), "type": "string_pattern_mismatch"}])
    'epoch must be best, last, or a number such as 70'
    >>> describe_validation([{"loc": ("body", "faces", 0, "seed"), "type": "int_parsing"}])
    'faces.0.seed must be a whole number'
    >>> describe_validation([{"loc": ("body", 3), "type": "json_invalid"}])
    'the request body is not valid JSON'
    """
    first = errors[0]
    path = [str(key) for key in first["loc"][1:]]
    if not path or first["type"] == "json_invalid":
        return f"the request body {_predicate(first, '')}"
    return f"{'.'.join(path)[:200]} {_predicate(first, path[-1])}"


def _predicate(error: Mapping[str, Any], field: str) -> str:
    sentence = SENTENCES.get(error["type"])
    if sentence is not None:
        return sentence(error.get("ctx", {}))
    if error["type"] == "string_pattern_mismatch" and field in FORMS:
        return f"must be {FORMS[field]}"
    kind = KINDS.get(error["type"].split("_")[0])
    return "is not valid" if kind is None else f"must be {kind}"
