"""The words of a command line, and the runs and sweeps that the same words started before."""

import shlex
from pathlib import Path
from typing import Any

import yaml

OUTPUTS = Path("outputs")
NOT_THE_TRAINING = ("ckpt_path=", "run=", "preview=", "trials=", "-", "hydra")
"""Overrides that do not say what is trained."""
SHOWS_ONLY = {"--cfg", "-c", "--help", "-h", "--info", "-i"}


def own_overrides(words: list[str]) -> list[str]:
    """Those that say what is trained."""
    said = ("hydra.sweeper.params",)
    return [
        word for word in words if word.startswith(said) or not word.startswith(NOT_THE_TRAINING)
    ]


def is_sweep(words: list[str]) -> bool:
    """Whether the command line trains several runs."""
    recipe = any(word.startswith("sweep=") and word != "sweep=null" for word in words)
    return recipe or bool({"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(words))


def is_named(words: list[str]) -> bool:
    """Whether the command line says which folder it trains in."""
    return any(word.startswith(("run=", "hydra.run.dir=", "hydra.sweep.dir=")) for word in words)


def find_last_run(words: list[str]) -> str | None:
    """The newest run below `outputs` that was started by these words and has a checkpoint."""
    found: list[tuple[float, str]] = []
    for said in OUTPUTS.glob("*/.hydra/overrides.yaml"):
        run = said.parent.parent
        checkpoint = run / "checkpoints" / "last.ckpt"
        if checkpoint.exists() and _same(_read(said), words):
            found.append((checkpoint.stat().st_mtime, run.name))
    return max(found)[1] if found else None


def find_last_sweep(words: list[str]) -> str | None:
    """The newest sweep below `outputs` that was started by these words."""
    found: list[tuple[float, str]] = []
    for said in OUTPUTS.glob("*/multirun.yaml"):
        content = _read(said)
        try:
            before = content["hydra"]["overrides"]
            before = [*before["task"], *before["hydra"]]
        except (KeyError, TypeError):
            continue
        if _same(before, words):
            found.append((said.stat().st_mtime, said.parent.name))
    return max(found)[1] if found else None


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _same(before: list[str] | None, words: list[str]) -> bool:
    return sorted(own_overrides(before or [])) == sorted(own_overrides(words))


def place(run_dir: Path) -> str:
    """The override that names a run's folder.

    >>> place(Path("outputs/first")), place(Path("outputs/losses/loss=bce"))
    ('run=first', "run='losses/loss=bce'")
    """
    for folder in (run_dir.parent, run_dir.parent.parent):
        if folder.name == OUTPUTS.name:
            return f"run={quoted(str(run_dir.relative_to(folder)))}"
    return f"hydra.run.dir={quoted(str(run_dir))}"


def quoted(value: str) -> str:
    """A value in Hydra's grammar, where `=` and `,` mean something."""
    if not set(value) & set("=,'\"()[]{}:\\ "):
        return value
    return "'" + value.replace("'", "\\'") + "'"


def command_line(words: list[str]) -> str:
    """What to type into a shell to train with these overrides."""
    return shlex.join(["python", "-m", "anime_dcgan.train", *words])
