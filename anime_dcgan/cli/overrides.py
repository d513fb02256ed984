"""Command-line arguments, and the runs, sweeps and searches that the same arguments started."""

import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from anime_dcgan.system.errors import RefusedFileError
from anime_dcgan.system.reader import is_regular, modified, read_yaml

OUTPUTS = Path("outputs")
NOT_TRAINING = ("ckpt_path=", "run=", "preview=", "trials=", "jobs=", "pruner.", "-", "hydra")
"""Prefixes of arguments that do not change what is trained."""
RECORD = Path(".hydra") / "overrides.yaml"
"""The overrides of a run, in its folder, as Hydra writes them."""
NOT_NAMES = ("", "null", ".", "???", "latest", "last")
"""Values of `run=...` that name no new run; `latest` and `last` are the newest one elsewhere."""
TEXT = frozenset(
    {
        *("run", "run_dir", "ckpt_path", "outputs", "folder", "out", "review", "manifest"),
        *("title", "description", "link", "runtime", "push", "license", "data_name"),
        *("label", "labels", "runs", "distance"),
        *("source", "host", "token", "data.path", "data.manifest", "data.cache_dir", "data.repo"),
        *("data.revision", "data.file", "data.fetch_dir", "data.labels", "init.from"),
        *("metric.extractor.weights", "model.discriminator.weights"),
        *("hydra.run.dir", "hydra.sweep.dir"),
    }
)
"""Settings that are text, whatever it looks like: names, paths and addresses."""
SHORT_FORMS = {"init": "init.from"}
"""Groups of settings whose name stands for one of them."""
SWEEPER_PARAMS = "hydra.sweeper.params"
SEARCH_FILE = "search.json"
"""The training overrides of a search, in its folder."""
UNQUOTED = re.compile(r"[\w./+-]+", re.ASCII)
"""Values that Hydra's grammar accepts without quotes."""
INFO_FLAGS = frozenset(
    {"--cfg", "-c", "--help", "-h", "--info", "-i", "--version", "--hydra-help", "-sc"}
) | {"--shell-completion"}
"""Options with which a command prints something and exits."""
VALUE_OPTIONS = frozenset(
    {
        *("--cfg", "-c", "--info", "-i", "--package", "-p", "--experimental-rerun"),
        *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    }
)
"""Options that are followed by a value."""
LITERAL = re.compile(r"[^\s,\[\](){}'\"$\\](?:[^,\[\](){}'\"$\\]*[^\s,\[\](){}'\"$\\])?")
"""Text without any sign that has a meaning in Hydra's grammar, such as that of lists and sweeps."""
LITERALS = re.compile(rf"\[\s*{LITERAL.pattern}(\s*,\s*{LITERAL.pattern})*\s*\]")
"""A list of such text."""


def training_overrides(argv: list[str]) -> list[str]:
    """Return the arguments that decide what is trained."""
    return [
        argument
        for argument in split_options(argv)[1]
        if argument.startswith(SWEEPER_PARAMS) or not argument.startswith(NOT_TRAINING)
    ]


def split_options(argv: list[str]) -> tuple[list[str], list[str]]:
    """Split off Hydra's options with their values from all other arguments.

    >>> split_options(["--cfg", "job", "loss=bce", "-m", "seed=0,1", "outputs/a"])
    (['--cfg', 'job', '-m'], ['loss=bce', 'seed=0,1', 'outputs/a'])
    """
    options: list[str] = []
    others: list[str] = []
    for previous, argument in zip(["", *argv], argv, strict=False):
        is_value = previous in VALUE_OPTIONS and "=" not in argument
        (options if argument.startswith("-") or is_value else others).append(argument)
    return options, others


def shows_info(argv: list[str]) -> bool:
    """Return True if the command only prints something."""
    return any(argument.partition("=")[0] in INFO_FLAGS for argument in argv)


def add_brackets(argv: list[str], lists: Iterable[str]) -> list[str]:
    """Put several values of a setting in brackets, so that Hydra does not read them as a sweep.

    Values that Hydra would not read, or not as text where a setting is text, are quoted, unless
    there are quotes already.

    >>> add_brackets(["epochs=10,best", "epochs=[1,2]", "n=4"], ["epochs"])
    ['epochs=[10,best]', 'epochs=[1,2]', 'n=4']
    >>> print(*add_brackets(["runs=a,losses/loss=bce", "labels=0,[1]"], ["runs", "labels"]))
    runs=[a,"losses/loss=bce"] labels=["0","[1]"]
    """
    several = re.compile(rf"({'|'.join(map(re.escape, lists)) or '(?!)'})=([^\[]*,.*)")
    return [
        f"{match[1]}=[{quote_values(match[2], match[1] in TEXT)}]"
        if (match := several.fullmatch(each))
        else each
        for each in argv
    ]


def quote_values(values: str, are_text: bool = False) -> str:
    """Quote those of several values that Hydra's grammar does not accept as they are.

    Parameters:
        are_text: quote numbers, too.

    >>> print(quote_values("10,a=b"), quote_values("10,a", are_text=True))
    10,"a=b" "10",a
    """
    if re.search(r"[\"'\\]", values):
        return values
    return ",".join(
        each if UNQUOTED.fullmatch(each) and not are_text else quote_value(each)
        for each in values.split(",")
    )


def expand_short_forms(argv: list[str]) -> list[str]:
    """Name the setting for which the name of its group stands.

    >>> expand_short_forms(["init=run:first", "init.freeze=2", "init={freeze: 2}"])
    ['init.from=run:first', 'init.freeze=2', 'init={freeze: 2}']
    """
    expanded = []
    for argument in argv:
        key, equals, value = argument.partition("=")
        is_short = equals and key in SHORT_FORMS and not value.startswith("{")
        expanded.append(f"{SHORT_FORMS[key]}={value}" if is_short else argument)
    return expanded


def quote_text(argv: list[str]) -> list[str]:
    """Quote the values of text settings that Hydra would read as numbers, or not at all.

    Sweeps and quoted values stay as they are.

    >>> quote_text(["run=3e8", "seed=3", "run=first", "ckpt_path=null"])
    ['run="3e8"', 'seed=3', 'run=first', 'ckpt_path=null']
    >>> quote_text(["run=a&b", "run=a,b", "labels=[0, b]"])
    ['run="a&b"', 'run=a,b', 'labels=["0",b]']
    """
    quoted = []
    for argument in argv:
        key, equals, value = argument.partition("=")
        is_text = equals and key.lstrip("+") in TEXT and value != "null"
        if is_text and LITERAL.fullmatch(value):
            argument = f"{key}={quote_value(value)}"
        elif is_text and LITERALS.fullmatch(value):
            values = ",".join(each.strip() for each in value[1:-1].split(","))
            argument = f"{key}=[{quote_values(values, are_text=True)}]"
        quoted.append(argument)
    return quoted


def _is_scalar(value: str) -> bool:
    """Return True if Hydra's grammar reads a value as a number, a boolean or null.

    >>> list(map(_is_scalar, ["3e8", "2026_11_28", "true", "Null", "nan", "first", "2026-11-28"]))
    [True, True, True, True, True, False, False]
    """
    if value.lower() in ("true", "false", "null"):
        return True
    try:
        float(value)
    except ValueError:
        return False
    return True


def is_sweep(argv: list[str]) -> bool:
    """Return True if the command line trains several runs."""
    has_recipe = any(each.startswith("sweep=") and each != "sweep=null" for each in argv)
    return has_recipe or bool({"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(argv))


def names_run(argv: list[str]) -> bool:
    """Return True if the command line names the folder of its run."""
    return any(each.startswith(("run=", "hydra.run.dir=", "hydra.sweep.dir=")) for each in argv)


def find_invalid_run(argv: list[str]) -> str | None:
    """Return the override `run=...` whose run would not lie in a folder below `outputs`.

    >>> find_invalid_run(["run=first"]), find_invalid_run(["run='a b'"])
    (None, None)
    >>> find_invalid_run(["run=../first"])
    'run=../first'
    """
    for argument in argv:
        if argument.startswith("run="):
            name = argument.removeprefix("run=").strip("'\" ")
            path = PurePath(name)
            is_list = name.startswith(("[", "{"))
            if name in NOT_NAMES or is_list or path.is_absolute() or ".." in path.parts:
                return argument
        if argument.partition("=")[0] == "~run":
            return argument
    return None


def find_last_run(argv: list[str]) -> str | None:
    """Return the newest run below `outputs` that these arguments started, by its checkpoint.

    Only if none has a checkpoint, one that was stopped before its first is returned.
    """
    records = [
        file for file in OUTPUTS.glob(f"*/{RECORD}") if is_same_training(read_overrides(file), argv)
    ]
    checkpoints = [file.parent.parent / "checkpoints" / "last.ckpt" for file in records]
    return _newest(filter(is_regular, checkpoints)) or _newest(records)


def find_last_sweep(argv: list[str]) -> str | None:
    """Return the newest sweep below `outputs` that these arguments started."""
    return _newest(file for file in OUTPUTS.glob("*/multirun.yaml") if _is_same_sweep(file, argv))


def find_last_search(argv: list[str]) -> str | None:
    """Return the newest search below `outputs` that these arguments started."""
    started = OUTPUTS.glob(f"*/{SEARCH_FILE}")
    return _newest(file for file in started if is_same_training(read_overrides(file), argv))


def _newest(files: Iterable[Path]) -> str | None:
    """Return the name of the folder right below `outputs` of the file that was changed last."""
    newest = max(files, key=modified, default=None)
    return newest.relative_to(OUTPUTS).parts[0] if newest else None


def _is_same_sweep(multirun: Path, argv: list[str]) -> bool:
    content = _read_or_none(multirun)
    try:
        previous = content["hydra"]["overrides"]
        overrides = _as_overrides([*previous["task"], *previous["hydra"]])
    except (KeyError, TypeError):
        return False
    return is_same_training(overrides, argv)


def read_overrides(path: Path) -> list[str] | None:
    """Return the overrides listed in a YAML or JSON file; None if it is missing or damaged."""
    return _as_overrides(_read_or_none(path))


def _as_overrides(content: Any) -> list[str] | None:
    """Return `content` if it is a list of strings, else None."""
    is_valid = isinstance(content, list) and all(isinstance(each, str) for each in content)
    return content if is_valid else None


def _read_or_none(path: Path) -> Any:
    try:
        return read_yaml(path)
    except (FileNotFoundError, RefusedFileError):
        return None


def is_same_training(previous: list[str] | None, argv: list[str]) -> bool:
    """Return True if two command lines describe the same training; False without a first one."""
    if previous is None:
        return False
    return sorted(training_overrides(previous)) == sorted(training_overrides(argv))


def run_override(run_dir: Path) -> str:
    """Return the override that names a run's folder.

    >>> run_override(Path("outputs/first")), run_override(Path("outputs/losses/loss=bce"))
    ('run=first', 'run="losses/loss=bce"')
    """
    for folder in (run_dir.parent, run_dir.parent.parent):
        if folder.name == OUTPUTS.name:
            return f"run={quote_value(str(run_dir.relative_to(folder)))}"
    return f"hydra.run.dir={quote_value(str(run_dir))}"


def quote_value(value: str) -> str:
    """Quote a value unless Hydra's grammar accepts it as it is.

    >>> print(quote_value("outputs/first"), quote_value("Zoë & co"))
    outputs/first "Zoë & co"
    """
    if UNQUOTED.fullmatch(value) and not _is_scalar(value):
        return value
    escaped = re.sub(r'(\\*)("|$)', _escape_quote, value).replace("${", "\\${")
    return f'"{escaped}"'  # left as is by a shell's single quotes


def _escape_quote(match: re.Match[str]) -> str:
    """Double the backslashes before a quote and at the end, as Hydra halves them there."""
    backslashes, quote = match.groups()
    return 2 * backslashes + ('\\"' if quote else "")


def command_line(argv: list[str], command: str = "train", interpreter: str | None = None) -> str:
    """Return the line to type into a shell.

    >>> command_line(["seed=1", "loss=bce,wgan"], interpreter="python")
    'python -m anime_dcgan.train seed=1 loss=bce,wgan'

    Parameters:
        interpreter: None is that of this process as it was called, such as `.venv/bin/python`.
    """
    return module_line(f"anime_dcgan.{command}", argv, interpreter)


def module_line(module: str, argv: list[str], interpreter: str | None = None) -> str:
    """Return the line that runs a module with the interpreter; see `command_line`."""
    if interpreter is None:
        interpreter = next(iter(sys.orig_argv), "python")
    return shlex.join([interpreter, "-m", module, *argv])
