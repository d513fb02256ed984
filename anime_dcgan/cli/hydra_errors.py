"""Explanations of overrides that Hydra cannot apply, in one or two lines."""

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
"""Environment variable that, set to 1, makes Hydra raise its errors with tracebacks."""


class CompositionErrors:
    """Explanations of Hydra's errors while it composes the configuration, and only then."""

    def __init__(self) -> None:
        self._active = False

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise Hydra's errors as `UserError`, unless the user set HYDRA_FULL_ERROR."""
        self._active = FULL_ERROR not in os.environ
        if not self._active:
            yield
            return
        os.environ[FULL_ERROR] = "1"  # so that Hydra raises them instead of printing some 20 lines
        try:
            yield
        except HydraException as error:
            raise UserError(explain_hydra_error(error)) from None
        except ValueError as error:  # the one error of composition that is not a HydraException
            if not re.match(r"Config group override.* must be a string", str(error)):
                raise
            raise UserError(_explain_invalid_choice(sys.argv[1:])) from None
        finally:
            self.stop()

    def stop(self) -> None:
        """Restore the environment once the configuration is composed, before the task runs."""
        if self._active:
            os.environ.pop(FULL_ERROR, None)


def explain_hydra_error(error: HydraException) -> str:
    """Return what is wrong with an override, and what fixes it."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return f"{group}={choice} is not an option: use one of {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} cannot be parsed: write setting=value, and quote a value that has "
            "one of ,=[]{}() or a space in it\nonce for Hydra and once for the shell, as in "
            "'data.path=\"my faces\"'"
        )
    lines = str(error).splitlines() or [type(error).__name__]
    unknown = re.fullmatch(
        r"Could not override '(.+)'\.(?: No match in the defaults list\.?)?", lines[0]
    )
    if unknown:
        hints = [line for line in lines if line.startswith("Did you mean")]
        return " ".join([f"{unknown[1]} is not a setting: --cfg job lists them all.", *hints])
    several = re.fullmatch(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'.*", lines[0])
    if several:
        return f"{several[1]} has several values: add -m to run them all"
    return lines[0]


def _explain_invalid_choice(argv: list[str]) -> str:
    """Explain the first override that gives a group a value that is not a name, as in model=3."""
    _, overrides = split_options(argv)
    for override in OverridesParser.create().parse_overrides(overrides):
        group, value = override.key_or_group, override.value()
        if not group:
            return f"{override.input_line} cannot be parsed: write setting=value"
        if value is None and override.is_delete():
            continue
        if (CONF_DIR / group).is_dir() and not isinstance(value, str | list):
            options = sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))
            return f"{override.input_line} is not an option: use one of {', '.join(options)}"
    return "a config group needs the name of one of its options, as in loss=bce"
