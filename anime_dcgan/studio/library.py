"""The list of runs below a folder, read from their files without torch."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anime_dcgan.explore.face import check_run
from anime_dcgan.run.exported import DESCRIPTION, is_exported, read_description
from anime_dcgan.run.origin import ORIGIN, Origin, parse_origin
from anime_dcgan.run.outcome import FINISHED
from anime_dcgan.run.record import (
    EquilibriumRecord,
    QualityRecord,
    RunRecord,
    read_equilibrium,
    read_json,
    read_quality,
    read_record,
)
from anime_dcgan.run.runs import PACKAGED, by_epoch, epoch_name, epoch_of, is_run, named_run
from anime_dcgan.run.settings import CONFIG, flatten, read_settings
from anime_dcgan.studio.listed_run import BeganFrom, Best, Run, RunCache, Verdict
from anime_dcgan.system.errors import NotFoundError, RefusedFileError, UserError
from anime_dcgan.system.reader import is_regular, modified

SKIPPED_FOLDERS = {"checkpoints", "samples", "tensorboard", "csv", ".hydra", ".studio", "cache"}
MAX_DEPTH = 6  # of run folders below the folder of all runs
RUNNING_SECONDS = 120
"""An unfinished run counts as running for this long after it last wrote a file."""
WATCHED = (
    *("checkpoints", "quality.json", "equilibrium.json", FINISHED, CONFIG, ORIGIN),
    DESCRIPTION,
)


@dataclass(frozen=True)
class RunDetails:
    """A run with everything its files record."""

    run: Run
    record: RunRecord


class Library:
    """Lists runs, and rereads a run only if its files have changed.

    Without any run it lists those that come with the package.

    Parameters:
        cache: file that remembers the list, so that the next start need not read every run.
    """

    def __init__(self, outputs: Path, only: str | None = None, cache: Path | None = None) -> None:
        self.outputs = outputs
        self.only = only
        self._cache = RunCache(cache)
        self._lock = threading.Lock()

    def runs(self) -> list[Run]:
        """Return all runs that have a checkpoint, most recently updated first."""
        with self._lock:
            found = [self._read(folder) for folder in _run_folders(self.outputs)]
            self._cache.store({run.name for run in found})
            listed = [run for run in found if self.only in (None, run.name)]
            if not listed and self.only in (None, *PACKAGED):
                listed = [self._read(folder) for folder in PACKAGED.values()]
        return sorted(listed, key=lambda run: (-run.updated, run.name))

    def details(self, name: str) -> RunDetails:
        """Return the details of a run; raise `NotFoundError` if there is no such run."""
        folder = self._folder(name)
        with self._lock:
            run = self._read(folder)
        return RunDetails(run, read_record(folder))

    def origins(self, name: str) -> set[str]:
        """Return the run that a run began from, the run that this one began from, and so on."""
        found: set[str] = set()
        with self._lock, contextlib.suppress(UserError):  # an origin may be a path
            while (origin := self._read(self._folder(name)).origin) and origin.run not in found:
                name = origin.run
                found.add(name)
        return found

    def _folder(self, name: str) -> Path:
        """Return the folder of a run; raise `NotFoundError` if there is no such run."""
        check_run(name)
        if self.only not in (None, name):
            raise NotFoundError(f"there is no run {name}")
        return named_run(name, self.outputs)

    def _read(self, folder: Path) -> Run:
        is_packaged = folder in PACKAGED.values()
        name = folder.name if is_packaged else folder.relative_to(self.outputs).as_posix()
        state = _file_state(folder)
        run = self._cache.get(name, state)
        if run is None:
            run = read_run(folder, name, max(state) / 1e9)
            self._cache.put(name, state, run)
        is_finished = is_regular(folder / FINISHED) or is_exported(folder)
        running = not is_finished and time.time() - run.updated < RUNNING_SECONDS
        return run if run.running == running else run.model_copy(update={"running": running})


def read_run(folder: Path, name: str, updated: float) -> Run:
    """Read a run from its files, any of which may be missing or damaged."""
    notes: list[str] = []
    settings, problem = _read_settings(folder)
    quality, equilibrium = read_quality(folder, notes), read_equilibrium(folder, notes)
    return Run(
        name=name,
        epochs=_epochs(folder),
        aliases=_aliases(folder),
        running=False,
        updated=updated,
        latent_dim=_int_or_none(settings.get("model.generator.latent_dim")),
        image_size=_int_or_none(settings.get("data.image_size")),
        model=_module_name(settings.get("model.generator._target_")),
        settings=_summarise(settings),
        images=max((each.images for each in quality.measurements), default=None)
        if quality
        else None,
        verdict=_verdict(equilibrium) if equilibrium else None,
        headline=quality.headline if quality else None,
        best=_best(quality) if quality else None,
        floor=quality.floor.get(quality.headline) if quality else None,
        origin=_began_from(read_json(folder / ORIGIN, parse_origin, notes)),
        packaged=folder in PACKAGED.values(),
        problem=problem,
    )


def _epochs(folder: Path) -> list[str]:
    return [epoch_name(epoch_of(path)) for path in by_epoch(folder / "checkpoints", ".ckpt")]


def _aliases(folder: Path) -> list[str]:
    if is_exported(folder):
        return ["last"]
    names = ("best", "last")
    return [name for name in names if is_regular(folder / "checkpoints" / f"{name}.ckpt")]


def _verdict(equilibrium: EquilibriumRecord) -> Verdict:
    verdict, reasons = equilibrium.verdict, equilibrium.reasons
    epoch, images = equilibrium.epoch, equilibrium.images
    return Verdict(name=verdict, reasons=reasons, epoch=epoch, images=images)


def _began_from(origin: Origin | None) -> BeganFrom | None:
    if origin is None:
        return None
    return BeganFrom(run=origin.run, epoch=epoch_name(origin.epoch), images=origin.images)


def _best(quality: QualityRecord) -> Best | None:
    best = quality.best
    if best is None:
        return None
    return Best(epoch=best.epoch, images=best.images, value=best.values[quality.headline])


def _run_folders(outputs: Path) -> Iterator[Path]:
    """Yield folders of runs, without descending into them or following links."""
    for root, folders, _ in os.walk(outputs):
        path = Path(root)
        if is_run(path):
            if is_exported(path) or any((path / "checkpoints").glob("*.ckpt")):
                yield path
            folders.clear()
            continue
        is_deepest = len(path.relative_to(outputs).parts) >= MAX_DEPTH
        folders[:] = [] if is_deepest else sorted(set(folders) - SKIPPED_FOLDERS)


def _file_state(folder: Path) -> tuple[int, ...]:
    """Return modification times that change whenever the run writes a file."""
    events = sorted((folder / "tensorboard").glob("**/events*"))
    return tuple(map(modified, (*(folder / name for name in WATCHED), *events)))


def _read_settings(folder: Path) -> tuple[dict[str, Any], str | None]:
    try:
        if is_exported(folder):
            return flatten(read_description(folder)["config"]), None
        return flatten(read_settings(folder)), None
    except FileNotFoundError:
        return {}, f"{CONFIG} is missing"
    except RefusedFileError as error:
        return {}, f"{error.path.name} cannot be read: {error.reason}"


def _summarise(settings: dict[str, Any]) -> dict[str, str | int | float]:
    """Return the settings that the list shows: short class names, and sizes."""
    classes = {
        part: str(settings.get(f"{part}._target_", "")).rpartition(".")[2]
        for part in ("loss", "regularizer", "augment")
    }
    classes["optimizer"] = str(settings.get("optimizer.generator._target_", "")).rpartition(".")[2]
    numbers = {
        key.rpartition(".")[2]: settings[key]
        for key in ("data.batch_size", "model.generator.width", "max_kimg", "seed")
        if isinstance(settings.get(key), int | float)
    }
    omitted = ("", "Regularizer", "Augment")  # base classes that do nothing
    return {key: name for key, name in classes.items() if name not in omitted} | numbers


def _module_name(target: Any) -> str:
    """Return the module of a dotted class path, without its package."""
    parts = str(target or "").split(".")
    return parts[-2] if len(parts) > 1 else ""


def _int_or_none(value: Any) -> int | None:
    return value if isinstance(value, int) else None
