"""Ranges of style layers, from coarse to fine: `4-9`, which includes both ends, or `4`."""

import re
from typing import Any

from anime_dcgan.system.errors import UserError

NUMBER = r"(0|[1-9]\d?)"
LAYERS = re.compile(rf"{NUMBER}(?:-{NUMBER})?")


def parse_layers(key: str, value: Any) -> range:
    """Return the layers of a range; raise `UserError` for another value.

    Parameters:
        key: name of the setting, for the message.
    """
    match = LAYERS.fullmatch(str(value))
    if match is None or isinstance(value, bool) or int(match[2] or match[1]) < int(match[1]):
        shown = " ".join(str(value).split())
        raise UserError(f"{key}={shown:.20} is not a range of style layers: use {key}=4-9")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def format_layers(layers: range) -> str:
    """Return a range of layers with both ends, `4-9` or `4-4`."""
    return f"{layers.start}-{layers.stop - 1}"


def check_layers(key: str, layers: range, count: int) -> None:
    """Raise `UserError` unless a generator of `count` style layers has these, and others."""
    if count == 1:
        raise UserError(
            "mixing or moving layers needs a generator with several style layers: use a run of "
            "model=stylegan2 or model=biggan"
        )
    if layers.stop > count:
        raise UserError(
            f"{key}={format_layers(layers)} is out of range: this generator has the style layers "
            f"0-{count - 1}"
        )
