"""Find runs and their files by name."""

import difflib
import re
from pathlib import Path
from typing import Literal, get_args

from anime_dcgan.run import hub
from anime_dcgan.run.exported import WEIGHTS as EXPORTED_WEIGHTS
from anime_dcgan.run.exported import is_exported, read_description
from anime_dcgan.system.errors import NotFoundError, UserError
from anime_dcgan.system.paths import DEMO_DIR

Weights = Literal["ema", "raw"]
"""The two sets of generator weights in a checkpoint: the moving average, and the trained ones."""
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
PACKAGED = {"demo": DEMO_DIR}
"""Runs that come with the package, unless the user has one of the same name."""


def file_stem(epoch: float) -> str:
    """Return the stem of an epoch's files: `epoch=0070`, or `epoch=0070.250` within an epoch."""
    return f"epoch={epoch:04.0f}" if epoch == int(epoch) else f"epoch={epoch:08.3f}"


def epoch_name(epoch: float) -> str:
    """Return an epoch in the form that `find_checkpoint` takes, such as 70 or 70.25."""
    return f"{epoch:.3f}".rstrip("0").rstrip(".")


STEM = re.compile(r"epoch=(\d+(?:\.\d+)?)")


def epoch_of(path: Path) -> float:
    """Return the epoch of a file whose stem is a `file_stem`."""
    match = STEM.fullmatch(path.with_suffix("").name)
    assert match is not None, path
    return float(match[1])


def by_epoch(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a folder whose stem is a `file_stem`, earliest epoch first.

    A folder that cannot be listed has none.
    """
    try:
        named = [path for path in folder.glob(f"epoch=*{suffix}") if STEM.fullmatch(path.stem)]
    except PermissionError:
        return []
    return sorted(named, key=epoch_of)


def find_run(run: str, outputs: Path, override: str | None = None) -> Path:
    """Return the folder of a run: `latest`, a name below `outputs`, a path, or `hub:owner/name`.

    The folder of an exported generator counts as a run of one epoch. The name may be that of a
    packaged run.

    Raises `UserError`, which names the override, `run=...` by default, if there is no such run.
    """
    if hub.is_on_hub(run):
        return hub.fetch(run, override or f"run={run}")
    if run in ("latest", "last"):
        runs = sorted(
            (path.parent.parent for path in outputs.glob("**/checkpoints/last.ckpt")),
            key=lambda folder: (folder / "checkpoints" / "last.ckpt").stat().st_mtime,
        )
        if not runs:
            raise UserError(
                f"{outputs} contains no run with a checkpoint: name one with run=..., or use "
                "run=demo, which comes with the program"
            )
        return runs[-1]
    for folder in (outputs / run, Path(run), PACKAGED.get(run)):
        if folder is not None and is_run(folder):
            return folder
    override = override or f"run={run}"
    setting = override.partition("=")[0]
    raise UserError(
        f"{override} is not a run: neither {outputs / run} nor {run} has a folder `checkpoints`; "
        f"use {setting}={_similar(run, outputs)}"
    )


def _similar(run: str, outputs: Path) -> str:
    """Return the name of the run below `outputs` that is most like `run`, or else a packaged one.

    It is matched by its last part, too, because runs of a sweep are in a folder of their own.
    """
    paths = (path.parent.relative_to(outputs) for path in outputs.glob("**/checkpoints"))
    names = {name: path.as_posix() for path in sorted(paths) for name in (path.name, str(path))}
    found = difflib.get_close_matches(run, names, n=1)
    return names[found[0]] if found else "latest" if names else next(iter(PACKAGED))


def named_run(name: str, outputs: Path) -> Path:
    """Return the folder of a run by its name: below `outputs`, or else with the package.

    Raises `NotFoundError` if there is none, or if it is a link to another place.
    """
    folder = outputs / name
    if is_run(folder) and folder.resolve().is_relative_to(outputs.resolve()):
        return folder
    if not is_run(folder) and name in PACKAGED:
        return PACKAGED[name]
    raise NotFoundError(f"there is no run {name} below {outputs}")


def is_run(folder: Path) -> bool:
    """Return True if a folder has checkpoints, or is that of an exported generator."""
    return (folder / "checkpoints").is_dir() or is_exported(folder)


def records_folder(run: Path, outputs: Path) -> Path:
    """Return the folder where results about a run are kept.

    It is that of the run, except for an exported generator, which others may own, and where no
    picture of the data may be: other generators in folders of the same name have other records.
    """
    if (run / "checkpoints").is_dir():
        return run
    digest = re.sub(r"\W", "", str(read_description(run).get("digest")))
    return outputs / "exported" / f"{run.resolve().name}-{digest[:20]}"


def find_checkpoint(run: Path, epoch: str, setting: str = "epoch") -> Path:
    """Return a checkpoint of a run: `last` (or `latest`), `best`, or an epoch's number.

    Raises `UserError`, which names the setting, if there is no such checkpoint.
    """
    folder = run / "checkpoints"
    if not folder.is_dir() and is_exported(run):
        return _only_checkpoint(run, epoch, setting)
    if epoch in ("last", "latest", "best"):
        path = folder / ("best.ckpt" if epoch == "best" else "last.ckpt")
    else:
        try:
            path = folder / f"{file_stem(float(epoch))}.ckpt"
        except (ValueError, OverflowError):
            raise UserError(
                f"{setting}={epoch} is not an epoch: use {setting}=last, {setting}=best or a number"
            ) from None
    if not path.is_file():
        kept = [f"{epoch_of(kept):g}" for kept in by_epoch(folder, ".ckpt")]
        kept += [name for name in ("best", "last") if (folder / f"{name}.ckpt").is_file()]
        raise NotFoundError(
            f"{run} has no checkpoint {setting}={epoch}; it has: {_shorten(kept) or 'none'}"
        )
    return path


def resolve_checkpoint(run: str, outputs: Path, epoch: str) -> tuple[Path | None, Path]:
    """Return a run and its checkpoint, as `find_run` and `find_checkpoint` do.

    A path of a checkpoint as `epoch` names the run, too: the one in whose folder it is, if any.
    """
    if Path(epoch).suffix != ".ckpt":
        found = find_run(run, outputs)
        return found, find_checkpoint(found, epoch)
    folder = Path(epoch).absolute().parent
    return (folder.parent if folder.name == "checkpoints" else None), Path(epoch)


def _only_checkpoint(folder: Path, epoch: str, setting: str) -> Path:
    """Return the weights of an exported generator, whatever epoch of its run they are of."""
    own = epoch_name(read_description(folder)["epoch"])
    if epoch not in ("last", "latest", "best", own):
        raise NotFoundError(
            f"{setting}={epoch}: {folder} is an exported generator, of epoch {own} only: use "
            f"{setting}=last"
        )
    return folder / EXPORTED_WEIGHTS


def _shorten(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 12 else [*names[:5], "...", *names[-5:]])
