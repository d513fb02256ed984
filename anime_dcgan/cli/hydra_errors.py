"""Explanations of overrides that Hydra cannot apply, in one or two lines."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra import compose
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from anime_dcgan.cli.checks import shorten
from anime_dcgan.cli.groups import check_choices, options, parse
from anime_dcgan.cli.overrides import names_run, quote_value, quote_values
from anime_dcgan.cli.signatures import leave_out_settings
from anime_dcgan.system.errors import UserError, first_line, reason_of

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
        except Exception as error:
            explanation = explain_composition_error(error, sys.argv[1:]) if self._active else None
            if explanation is None:
                raise
            raise UserError(explanation) from None
        finally:
            self.stop()

    def stop(self) -> None:
        """Restore the environment once the configuration is composed, before the task runs."""
        if self._active:
            os.environ.pop(FULL_ERROR, None)
        self._active = False


def compose_explained(name: str, overrides: list[str]) -> DictConfig:
    """Return the configuration that overrides give; raise `UserError` for those that do not fit.

    Settings of an experiment whose part the overrides replace are left out.
    """
    check_choices(overrides)
    try:
        config = compose(name, overrides)
    except Exception as error:
        explanation = explain_composition_error(error, overrides)
        if explanation is None:
            raise
        raise UserError(explanation) from None
    leave_out_settings(config, overrides)
    return config


def explain_composition_error(error: Exception, argv: list[str]) -> str | None:
    """Return why the configuration cannot be composed, or its folder not be made.

    None for an error that is a bug.
    """
    if isinstance(error, HydraException):
        return explain_hydra_error(error)
    if isinstance(error, OmegaConfBaseException):
        return explain_omegaconf_error(error)
    if isinstance(error, OSError) and error.filename is not None:
        fix = "use another run=..." if names_run(argv) else "check this path"
        return f"{shorten(str(error.filename))} cannot be used ({reason_of(error)}): {fix}"
    if isinstance(error, ValueError | TypeError):  # from a group whose value is not a name
        return _explain_invalid_choice(argv)
    return None


def explain_omegaconf_error(error: OmegaConfBaseException) -> str:
    """Return what is wrong with a setting."""
    missing = re.fullmatch(r"Interpolation key '(.+)' not found", first_line(error))
    if isinstance(error, InterpolationKeyError) and missing:
        key = error.full_key
        return f"{key} repeats {missing[1]}, which these groups lack: set {key}=..."
    return first_line(error)


def explain_hydra_error(error: HydraException) -> str:
    """Return what is wrong with an override, and what fixes it."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        known = options(group) or error.options
        return f"{group}={choice} is not an option: use one of {', '.join(known)}"
    if isinstance(error, OverrideParseException):
        return _explain_unparsable(str(error.override))
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


def _explain_unparsable(override: str) -> str:
    """Return the sign that Hydra's grammar does not accept, and the override quoted for a shell."""
    key, equals, value = override.partition("=")
    if not equals or not re.fullmatch(r"[~+]*[\w./@]+", key):
        return f"{override} cannot be parsed: write setting=value"
    sign = re.search(r"[^\w/.+:@%*?|\\ -]", value, re.ASCII)
    at = f" at {sign[0]}" if sign else ""
    if re.fullmatch(r"\[[^\[\]]+\]", value):
        quoted = shlex.quote(f"{key}=[{quote_values(value[1:-1])}]")
        return f"{override} cannot be parsed: quote its values, as in {quoted}"
    quoted = shlex.quote(f"{key}={quote_value(value)}")
    return f"{override} cannot be parsed{at}: quote the value, as in {quoted}"


def _explain_invalid_choice(argv: list[str]) -> str | None:
    """Explain the first override that gives a group a value that is not a name, as in model=3."""
    for override in parse(argv):
        group, value = override.key_or_group, override.value()
        if not group:
            return f"{override.input_line} cannot be parsed: write setting=value"
        if value is None and override.is_delete():
            continue
        choices = value if isinstance(value, list) else [value]
        are_names = all(isinstance(choice, str) for choice in choices)
        if options(group) and not are_names:
            return f"{override.input_line} is not an option: use one of {', '.join(options(group))}"
    return None
