"""The decorator that turns a function into a command: settings, checks and exit statuses."""

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from anime_dcgan import __version__
from anime_dcgan.cli.checks import Check, Several, check_command
from anime_dcgan.cli.groups import check_choices
from anime_dcgan.cli.help import help_text
from anime_dcgan.cli.home import expand_arguments, expand_home
from anime_dcgan.cli.hydra_errors import (
    FULL_ERROR,
    CompositionErrors,
    explain_omegaconf_error,
)
from anime_dcgan.cli.overrides import (
    OUTPUTS,
    add_brackets,
    expand_short_forms,
    find_invalid_run,
    quote_text,
    shows_info,
    split_options,
)
from anime_dcgan.cli.signatures import check_settings, leave_out_settings
from anime_dcgan.system.console import log, prepare_encodings
from anime_dcgan.system.errors import (
    ReportedError,
    UserError,
    explain_storage_error,
    first_line,
)
from anime_dcgan.system.memory import is_out_of_memory
from anime_dcgan.system.paths import CONF_DIR

USER_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141  # exit statuses

Task = Callable[[DictConfig], float | None]

DECLARED: dict[str, Mapping[str, Check]] = {}
"""The validators of each command that was imported."""


def command(name: str, **checks: Check) -> Callable[[Task], Callable[[], None]]:
    """Make a task the command that `conf/<name>.yaml` configures.

    The task's return value is what Hydra's sweepers minimise. `checks` are validators of the
    command's own settings, by name; lists of a setting that takes several values need no brackets.
    """

    DECLARED[name] = checks
    lists = [key for key, check in checks.items() if isinstance(check, Several)]

    def decorate(task: Task) -> Callable[[], None]:
        composition_errors = CompositionErrors()

        @functools.wraps(task)
        def run(config: DictConfig) -> float | None:
            composition_errors.stop()
            try:
                expand_home(config)
                check_command(config, checks)
                _leave_out_settings(config)
                check_settings(config)
                return task(config)
            except BrokenPipeError:
                _stop_printing()
            except ReportedError:
                raise SystemExit(USER_ERROR) from None
            except Exception as error:
                message = user_message(error)
                if message is None or FULL_ERROR in os.environ:
                    raise
                if in_sweep():  # the sweep records the error and continues with the other jobs
                    raise
                fail(message)
            except KeyboardInterrupt:
                print("\nstopped", file=sys.stderr)
                raise SystemExit(INTERRUPTED) from None
            finally:
                _remove_empty_folder()

        main = hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=name)(run)

        @functools.wraps(task)
        def start() -> None:
            normalise_arguments(lists)
            if {"--version"} & set(sys.argv):
                print(f"anime_dcgan {__version__}")
                return
            if {"--help", "-h"} & set(sys.argv):
                print(help_text(name))
                return
            try:
                check_choices(sys.argv[1:])
                with _closed_pipes_end(shows_info(sys.argv[1:])), composition_errors.explained():
                    main()
            except BrokenPipeError:
                _stop_printing()
            except (UserError, OSError) as error:
                message = user_message(error)
                if message is None or FULL_ERROR in os.environ:
                    raise
                fail(message)

        return start

    return decorate


def normalise_arguments(lists: Sequence[str] = ()) -> None:
    """Put options first, expand `~/`, quote text, and put lists in brackets, in `sys.argv`.

    Called before anything is printed; see `prepare_encodings`, too.
    """
    prepare_encodings()
    options, others = split_options(sys.argv[1:])
    others = expand_short_forms(expand_arguments(others))
    others = add_brackets(quote_text(others), lists)
    sys.argv[1:] = [*options, *others]


def _leave_out_settings(config: DictConfig) -> None:
    """Leave out what an experiment sets for a part that the command line replaces, and say so."""
    overrides = list(HydraConfig.get().overrides.task)
    for setting, owner in leave_out_settings(config, overrides).items():
        log(f"{setting} of the experiment is left out: {owner} has no such setting")


def config_dir_options() -> list[str]:
    """Return the option `--config-dir` of this command, if it has one."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    paths = [source.path for source in sources if source.provider == "command-line"]
    return [part for path in paths for part in ("--config-dir", path)]


@contextlib.contextmanager
def _closed_pipes_end(active: bool) -> Iterator[None]:
    """End this process silently if the reader of its output does, as in `--info | head`."""
    if not active or not hasattr(signal, "SIGPIPE"):
        yield
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)


def _stop_printing() -> NoReturn:
    """Exit after the reader of a pipe, such as `head`, has read enough."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(BROKEN_PIPE) from None


def _remove_empty_folder() -> None:
    """Delete the folder that Hydra made for a command that wrote nothing there."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if folder != Path.cwd():
        with contextlib.suppress(OSError):
            folder.rmdir()


def in_sweep() -> bool:
    """Return True if this is one of the jobs of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def fail(message: str) -> NoReturn:
    """Print an error for the user and exit with status 2."""
    print_error(message)
    raise SystemExit(USER_ERROR) from None


def print_error(message: str) -> None:
    """Print an error, once in a distributed run: all processes meet the same ones."""
    log(f"error: {message}")


def instantiate(config: Any, **arguments: Any) -> Any:
    """Build the object that a configuration node describes; pass a `UserError` through as is."""
    try:
        return hydra.utils.instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise


def user_message(error: Exception) -> str | None:
    """Return one line for an error that the user can fix; None for any other, which is a bug."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, InstantiationException):
        cause = error.__cause__ or error
        key = str(error).rpartition("full_key: ")[2] if "full_key: " in str(error) else ""
        return f"{key or 'the configuration'} cannot be built: {first_line(cause)}"
    if isinstance(error, OmegaConfBaseException):
        return explain_omegaconf_error(error)
    if is_out_of_memory(error):
        reason = first_line(error.__cause__ or error)
        return f"there is not enough memory ({reason}): free some, or use smaller sizes or numbers"
    return explain_storage_error(error)


def check_run_name(argv: list[str]) -> None:
    """Exit with an error if `run=...` does not name a folder below that of all runs."""
    if (override := find_invalid_run(argv)) is not None:
        fail(f"{override} does not name a folder below {OUTPUTS}/: use run=first")
