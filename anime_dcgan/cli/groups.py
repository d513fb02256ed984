"""Config groups: the options that `conf/` has for each, of which a command takes one."""

from collections.abc import Iterator
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException

from anime_dcgan.cli.checks import join_or
from anime_dcgan.cli.overrides import split_options
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR

BASE = "base"
"""Name of a file that the options of a group share, and that is not an option itself."""


def options(group: str) -> list[str]:
    """Return the options of a group in alphabetical order; empty for any other setting.

    >>> options("crop"), options("seed")
    (['cascade', 'none'], [])
    """
    files = (CONF_DIR / group).glob("*.yaml") if group else ()
    return sorted(path.stem for path in files if path.stem != BASE)


def suggest(group: str, without: str = "none") -> str:
    """Return the options of a group that do something, as in a message.

    >>> suggest("crop")
    'crop=cascade'
    """
    return f"{group}={join_or([option for option in options(group) if option != without])}"


def check_choices(argv: list[str]) -> None:
    """Raise `UserError` for a list of options of one group: Hydra would merge their files.

    Overrides that Hydra's grammar does not accept are left to Hydra.
    """
    try:
        overrides = parse(argv)
    except HydraException:
        return
    for override in overrides:
        group = override.key_or_group
        for value in _values(override):
            if isinstance(value, list | dict) and ("/" in group or options(group)):
                known = options(group) or map(str, value)
                raise UserError(
                    f"{override.input_line} is not an option: use one of {', '.join(known)}"
                )


def parse(argv: list[str]) -> list[Override]:
    """Return the overrides among the arguments. Raises Hydra's `OverrideParseException`."""
    return OverridesParser.create().parse_overrides(split_options(argv)[1])


def _values(override: Override) -> Iterator[Any]:
    """Yield the value of an override, or those of a sweep over choices."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        yield from value.list
    else:
        yield value
