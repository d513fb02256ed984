"""The words of a command line, and the runs and sweeps that the same words started before."""

import shlex
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

import yaml

OUTPUTS = Path("outputs")
NOT_THE_TRAINING = ("ckpt_path=", "run=", "preview=", "trials=", "pruner.", "-", "hydra")
"""Overrides that do not say what is trained."""
SEARCH = "search.json"  # the words that started a search
SHOWS_ONLY = {"--cfg", "-c", "--help", "-h", "--info", "-i"}


def own_overrides(words: list[str]) -> list[str]:
    """Those that say what is trained."""
    said = ("hydra.sweeper.params",)
    return [
        word for word in words if word.startswith(said) or not word.startswith(NOT_THE_TRAINING)
    ]


def split_options(words: list[str]) -> tuple[list[str], list[str]]:
    """Hydra's options with their values, and all other words.

    >>> split_options(["--cfg", "job", "seed=1", "outputs/a"])
    (['--cfg', 'job'], ['seed=1', 'outputs/a'])
    """
    options: list[str] = []
    others: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        is_value = before.startswith("-") and "=" not in word
        (options if word.startswith("-") or is_value else others).append(word)
    return options, others


def is_sweep(words: list[str]) -> bool:
    """Whether the command line trains several runs."""
    recipe = any(word.startswith("sweep=") and word != "sweep=null" for word in words)
    return recipe or bool({"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(words))


def is_named(words: list[str]) -> bool:
    """Whether the command line says which folder it trains in."""
    return any(word.startswith(("run=", "hydra.run.dir=", "hydra.sweep.dir=")) for word in words)


def misnamed(words: list[str]) -> str | None:
    """The override that names a run which would lie elsewhere than in a folder below `outputs`.

    >>> misnamed(["run=first"]), misnamed(["run='a b'"]), misnamed(["run=../first"])
    (None, None, 'run=../first')
    """
    for word in words:
        if word.startswith("run="):
            name = word.removeprefix("run=").strip("'\"")
            path = PurePath(name)
            lists = name.startswith(("[", "{"))
            if name in ("", "null", ".") or lists or path.is_absolute() or ".." in path.parts:
                return word
    return None


def find_last_run(words: list[str]) -> str | None:
    """The newest run below `outputs` that was started by these words and has a checkpoint."""
    started = OUTPUTS.glob("*/.hydra/overrides.yaml")
    found = {said.parent.parent / "checkpoints" / "last.ckpt": said for said in started}
    return _newest(
        checkpoint
        for checkpoint, said in found.items()
        if checkpoint.exists() and is_same(read_yaml(said), words)
    )


def find_last_sweep(words: list[str]) -> str | None:
    """The newest sweep below `outputs` that was started by these words."""
    return _newest(said for said in OUTPUTS.glob("*/multirun.yaml") if _swept_same(said, words))


def find_last_search(words: list[str]) -> str | None:
    """The newest search below `outputs` that was started by these words."""
    started = OUTPUTS.glob(f"*/{SEARCH}")
    return _newest(said for said in started if is_same(read_yaml(said), words))


def _newest(files: Iterable[Path]) -> str | None:
    """The folder right below `outputs` of the file that was changed last."""
    newest = max(files, key=lambda path: path.stat().st_mtime, default=None)
    return newest.relative_to(OUTPUTS).parts[0] if newest else None


def _swept_same(said: Path, words: list[str]) -> bool:
    content = read_yaml(said)
    try:
        before = content["hydra"]["overrides"]
        return is_same([*before["task"], *before["hydra"]], words)
    except (KeyError, TypeError):
        return False


def read_yaml(path: Path) -> Any:
    """What a YAML or JSON file holds; None where it is absent or damaged."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def is_same(before: list[str] | None, words: list[str]) -> bool:
    """Whether two command lines train the same."""
    return sorted(own_overrides(before or [])) == sorted(own_overrides(words))


def place(run_dir: Path) -> str:
    """The override that names a run's folder.

    >>> place(Path("outputs/first")), place(Path("outputs/losses/loss=bce"))
    ('run=first', 'run="losses/loss=bce"')
    """
    for folder in (run_dir.parent, run_dir.parent.parent):
        if folder.name == OUTPUTS.name:
            return f"run={quoted(str(run_dir.relative_to(folder)))}"
    return f"hydra.run.dir={quoted(str(run_dir))}"


def quoted(value: str) -> str:
    """A value in Hydra's grammar, where `=` and `,` mean something."""
    if not set(value) & set("=,'\"()[]{}:\\ "):
        return value
    return '"' + value.replace('"', '\\"') + '"'  # which a shell's single quotes leave as it is


def command_line(words: list[str], command: str = "train") -> str:
    """What to type into a shell.

    >>> command_line(["seed=1", "loss=bce,wgan"])
    'python -m anime_dcgan.train seed=1 loss=bce,wgan'
    """
    return shlex.join(["python", "-m", f"anime_dcgan.{command}", *words])
