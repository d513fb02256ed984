"""The runs below a folder, as the studio lists them; read from their files, without torch."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from anime_dcgan.explore.face import check_run
from anime_dcgan.run.outcome import FINISHED
from anime_dcgan.run.record import (
    EquilibriumRecord,
    QualityRecord,
    read_equilibrium,
    read_quality,
    read_record,
)
from anime_dcgan.run.runs import by_epoch, epoch_of
from anime_dcgan.run.scalars import thin
from anime_dcgan.run.settings import flatten
from anime_dcgan.system.errors import NotFoundError, first_line

NO_RUNS = {"checkpoints", "samples", "tensorboard", "csv", ".hydra", ".studio", "cache"}
DEEPEST = 6  # folders below the one of all runs
STILL_RUNNING = 120  # seconds since it last wrote anything
WATCHED = ("checkpoints", "quality.json", "equilibrium.json", FINISHED, "config.yaml")


@dataclass(frozen=True)
class Verdict:
    """What the training came to, and where."""

    name: str
    reasons: list[str]
    epoch: float | None
    images: float | None


@dataclass(frozen=True)
class Best:
    """The lowest distance, and where it was measured."""

    epoch: float | None
    images: float
    value: float


@dataclass(frozen=True)
class Run:
    """A run as the list shows it; `curve` and the rest are in `Details`."""

    name: str
    images: float | None
    epochs: list[str]
    named: list[str]
    running: bool
    updated: float
    latent_dim: int | None
    image_size: int | None
    model: str
    settings: dict[str, str | int | float]
    verdict: Verdict | None
    headline: str | None
    best: Best | None
    floor: float | None
    problem: str | None


@dataclass(frozen=True)
class Details(Run):
    """A run with the course of its distance: (images, value, epoch)."""

    curve: list[tuple[float, float, float | None]]
    accuracy: dict[str, list[tuple[float, float]]]
    command: str
    config: str
    notes: list[str]


class Library:
    """Lists runs; what has not changed on disk is not read again."""

    def __init__(self, outputs: Path, only: str | None = None) -> None:
        self.outputs = outputs
        self.only = only
        self._known: dict[str, tuple[tuple[int, ...], Run]] = {}
        self._lock = threading.Lock()

    def runs(self) -> list[Run]:
        """All runs with a checkpoint, the last written first."""
        with self._lock:
            found = [self._read(folder) for folder in _run_folders(self.outputs)]
        wanted = [run for run in found if self.only in (None, run.name)]
        return sorted(wanted, key=lambda run: (-run.updated, run.name))

    def details(self, name: str) -> Details:
        """One of them; raises `NotFoundError`."""
        check_run(name)
        folder = self.outputs / name
        inside = folder.resolve().is_relative_to(self.outputs.resolve())
        if not inside or not (folder / "checkpoints").is_dir() or self.only not in (None, name):
            raise NotFoundError(f"there is no run {name}")
        with self._lock:
            run = self._read(folder)
        record = read_record(folder)
        known = {**vars(run), "images": run.images or record.images}
        return Details(
            **known,
            curve=_curve(record.quality),
            accuracy={
                name: thin(record.scalars.get(f"accuracy/{name}", [])) for name in ("real", "fake")
            },
            command=record.commands,
            config=record.config,
            notes=record.notes,
        )

    def _read(self, folder: Path) -> Run:
        name = folder.relative_to(self.outputs).as_posix()
        state = _state(folder)
        before = self._known.get(name)
        if before is None or before[0] != state:
            before = (state, read_run(folder, name, max(state) / 1e9))
            self._known[name] = before
        run = before[1]
        finished = (folder / FINISHED).exists()
        fresh = not finished and time.time() - run.updated < STILL_RUNNING
        return run if run.running == fresh else replace(run, running=fresh)


def read_run(folder: Path, name: str, updated: float) -> Run:
    """A run by its files, whatever state they are in."""
    notes: list[str] = []
    settings, problem = _settings(folder)
    quality, equilibrium = read_quality(folder, notes), read_equilibrium(folder, notes)
    best = quality.best if quality else None
    headline = quality.headline if quality else None
    checkpoints = folder / "checkpoints"
    return Run(
        name=name,
        images=max((seen.images for seen in quality.measurements), default=None)
        if quality
        else None,
        epochs=[epoch_name(epoch_of(path)) for path in by_epoch(checkpoints, ".ckpt")],
        named=[word for word in ("best", "last") if (checkpoints / f"{word}.ckpt").is_file()],
        running=False,
        updated=updated,
        latent_dim=_whole(settings.get("model.generator.latent_dim")),
        image_size=_whole(settings.get("data.image_size")),
        model=_last_but_one(settings.get("model.generator._target_")),
        settings=_said(settings),
        verdict=_verdict(equilibrium),
        headline=headline,
        best=Best(best.epoch, best.images, best.values[headline]) if best and headline else None,
        floor=quality.floor.get(headline) if quality and headline else None,
        problem=problem,
    )


def epoch_name(epoch: float) -> str:
    """As `find_checkpoint` takes it: 70, or 70.25."""
    return f"{epoch:.3f}".rstrip("0").rstrip(".")


def _run_folders(outputs: Path) -> Iterator[Path]:
    """Folders with checkpoints; below them nothing is looked for, and links are not followed."""
    for place, folders, _ in os.walk(outputs):
        path = Path(place)
        if "checkpoints" in folders:
            if any((path / "checkpoints").glob("*.ckpt")):
                yield path
            folders.clear()
            continue
        deep = len(path.relative_to(outputs).parts) >= DEEPEST
        folders[:] = [] if deep else sorted(set(folders) - NO_RUNS)


def _state(folder: Path) -> tuple[int, ...]:
    """Differs whenever the run wrote anything."""
    events = sorted((folder / "tensorboard").glob("**/events*"))
    return tuple(map(_time, (*(folder / name for name in WATCHED), *events)))


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _settings(folder: Path) -> tuple[dict[str, Any], str | None]:
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
        return flatten(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))), None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        return {}, f"config.yaml cannot be read: {first_line(error)}"


def _said(settings: dict[str, Any]) -> dict[str, str | int | float]:
    """What the list says of the settings: classes by their short names, and sizes."""
    words = {
        part: str(settings.get(f"{part}._target_", "")).rpartition(".")[2]
        for part in ("loss", "regularizer", "augment")
    }
    words["optimizer"] = str(
        settings.get("optimizer.generator._target_")
        or settings.get("gan.optimizer.generator._target_", "")
    ).rpartition(".")[2]
    numbers = {
        key.rpartition(".")[2]: settings[key]
        for key in ("data.batch_size", "model.generator.width", "max_kimg", "seed")
        if isinstance(settings.get(key), int | float)
    }
    unsaid = ("", "Regularizer", "Augment")  # the ones that do nothing
    return {key: word for key, word in words.items() if word not in unsaid} | numbers


def _last_but_one(target: Any) -> str:
    parts = str(target or "").split(".")
    return parts[-2] if len(parts) > 1 else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _verdict(said: EquilibriumRecord | None) -> Verdict | None:
    return said and Verdict(said.verdict, said.reasons, said.epoch, said.images)


def _curve(quality: QualityRecord | None) -> list[tuple[float, float, float | None]]:
    if quality is None:
        return []
    return [
        (seen.images, seen.values[quality.headline], seen.epoch)
        for seen in quality.measurements
        if quality.headline in seen.values
    ]
