"""The home folder in settings: `~/faces`, which a shell expands only at the start of a word."""

import os
import re
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from anime_dcgan.cli.overrides import quote_value

START_OF_PATH = re.compile(r"([=\[,][\"']?)(~[^\[\]{},\"']*)")


def expand_home(config: DictConfig | ListConfig) -> None:
    """Expand `~/` and `~user/` at the start of all settings, in place.

    No other setting begins like that; the name of a run may be `~x`.
    """
    keys: list[Any] = list(config) if isinstance(config, DictConfig) else list(range(len(config)))
    for key in keys:
        if OmegaConf.is_missing(config, key) or OmegaConf.is_interpolation(config, key):
            continue
        value = config[key]
        if isinstance(value, DictConfig | ListConfig):
            expand_home(value)
        elif isinstance(value, str) and _names_home(value):
            config[key] = os.path.expanduser(value)  # noqa: PTH111


def expand_arguments(argv: list[str]) -> list[str]:
    """Expand `~/` in overrides: Hydra's grammar has no `~`, and makes folders before any check.

    >>> expand_arguments(["out=~nosuch/a", "~logger"])
    ['out="~nosuch/a"', '~logger']
    """
    return [START_OF_PATH.sub(_expand_match, argument) for argument in argv]


def _expand_match(match: re.Match[str]) -> str:
    start, value = match.groups()
    if not _names_home(value):
        return match[0]
    path = os.path.expanduser(value)  # noqa: PTH111
    if start[-1] in "\"'":
        return start + path
    return start + quote_value(path)


def _names_home(value: str) -> bool:
    return value == "~" or (value.startswith("~") and "/" in value)
