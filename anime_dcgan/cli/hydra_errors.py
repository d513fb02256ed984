"""Words of a command line that Hydra cannot use, told in a line or two."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException

from anime_dcgan.cli.overrides import split_options
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR

FULL_ERROR = "HYDRA_FULL_ERROR"
"""Set to 1, Hydra raises what it else tells in some twenty lines."""


class Composition:
    """The time in which Hydra makes settings of the words of a command line."""

    def __init__(self) -> None:
        self._ours = False

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """What Hydra refuses comes as `UserError`, unless the user asks for the whole story."""
        self._ours = FULL_ERROR not in os.environ
        if not self._ours:
            yield
            return
        os.environ[FULL_ERROR] = "1"
        try:
            yield
        except HydraException as error:
            raise UserError(refusal(error)) from None
        except ValueError as error:  # which Hydra does not call one of its own
            if not re.match(r"Config group override.* must be a string", str(error)):
                raise
            raise UserError(_no_name_of_a_choice(sys.argv[1:])) from None
        finally:
            self.end()

    def end(self) -> None:
        """The settings are made: from here on errors are Hydra's to tell, and those of the task."""
        if self._ours:
            os.environ.pop(FULL_ERROR, None)


def refusal(error: HydraException) -> str:
    """What is wrong with an override, and what mends it."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return f"{group}={choice} is no choice: there are {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} cannot be read: write setting=value; a value with one of ,=[]{{}}() "
            "or a space in it\nneeds quotes of its own within those for the shell, as in "
            "'data.path=\"my faces\"'"
        )
    lines = str(error).splitlines()
    unknown = re.fullmatch(
        r"Could not override '(.+)'\.(?: No match in the defaults list\.?)?", lines[0]
    )
    if unknown:
        meant = [line for line in lines if line.startswith("Did you mean")]
        return " ".join([f"{unknown[1]} is no setting here: --cfg job shows them all.", *meant])
    several = re.fullmatch(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'.*", lines[0])
    if several:
        return f"{several[1]} has several values: -m tries them all"
    return lines[0]


def _no_name_of_a_choice(words: list[str]) -> str:
    """The first word that gives a group no name: model=3, model=null, ~model=3."""
    _, overrides = split_options(words)
    for override in OverridesParser.create().parse_overrides(overrides):
        group, value = override.key_or_group, override.value()
        if not group:
            return f"{override.input_line} cannot be read: write setting=value"
        if value is None and override.is_delete():
            continue
        if (CONF_DIR / group).is_dir() and not isinstance(value, str | list):
            choices = sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))
            return f"{override.input_line} is no choice: there are {', '.join(choices)}"
    return "a group of settings is given no name: give that of a choice, as in loss=bce"
