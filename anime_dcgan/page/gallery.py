"""Choose the epochs whose faces the report shows, within a limit of bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anime_dcgan.page.labels import LabelRows, read_label_rows
from anime_dcgan.page.sheets import (
    Faces,
    Picture,
    mosaic,
    read_faces,
    read_sheet,
    shrink_to_fit,
    side_within,
)
from anime_dcgan.run.record import RunRecord
from anime_dcgan.run.runs import by_epoch, epoch_of
from anime_dcgan.system.reader import is_regular

MAX_PICTURE_BYTES = 4_000_000  # PNG on a page; base64 adds a third
MAX_GRID_BYTES = 2_400_000  # the part of it for the grids side by side
MAX_NEIGHBOURS_BYTES = 700_000
MAX_STRIP_BYTES = 150_000
MAX_FRAMES = 24  # in the film
STRIP_FACES = 6  # in each of the two strips below the title


@dataclass(frozen=True)
class EpochGrid:
    """The faces of an epoch; `names` lists its roles (first, best, ...)."""

    epoch: float
    names: str
    averaged: Picture
    raw: Picture | None = None

    @property
    def title(self) -> str:
        return f"epoch {self.epoch:g}"


@dataclass(frozen=True)
class Gallery:
    """The pictures of a report. All grids show the same latents."""

    strips: list[Picture]
    strip_title: str
    side_by_side: list[EpochGrid]
    between: list[EpochGrid]
    """Further epochs for the film, which also shows the ones that are side by side."""
    neighbours: Picture | None
    labels: LabelRows | None


def read_gallery(run: Path, record: RunRecord, count: int) -> Gallery:
    """Return the pictures of a run, `count` epochs side by side; damaged ones are noted."""
    neighbours = _neighbours(run / "neighbours.png", record.notes)
    labels = read_label_rows(run, record.notes)
    sheets = {epoch_of(path): path for path in by_epoch(run / "samples" / "ema", ".png")}
    roles, faces = _read_side_by_side(sheets, record, count)
    if not faces:
        return Gallery([], "", [], [], neighbours, labels)
    side = side_within(faces[max(faces)], MAX_GRID_BYTES / (2 * len(faces)))
    raw = run / "samples" / "raw"
    side_by_side = [
        EpochGrid(
            epoch,
            names=roles.get(epoch, ""),
            averaged=mosaic(averaged, side, side),
            raw=_raw(raw / sheets[epoch].name, side),
        )
        for epoch, averaged in faces.items()
    ]
    shown = next(iter(roles))
    max_bytes = MAX_PICTURE_BYTES - (labels.size if labels else 0)
    return Gallery(
        strips=_strips(faces[shown]),
        strip_title=f"Faces of epoch {shown:g}",
        side_by_side=side_by_side,
        between=_between(sheets, side_by_side, side, record.notes, max_bytes),
        neighbours=neighbours,
        labels=labels,
    )


def _read_side_by_side(
    sheets: dict[float, Path], record: RunRecord, count: int
) -> tuple[dict[float, str], dict[float, Faces]]:
    """Return the roles and the faces of the epochs to show; damaged epochs are replaced."""
    while True:
        roles = epoch_roles(sorted(sheets), record)
        chosen = choose(sorted(sheets), list(roles), count)
        faces = _read_all({epoch: sheets[epoch] for epoch in chosen}, record.notes)
        if len(faces) == len(chosen):
            return roles, faces
        for damaged in set(chosen) - set(faces):
            del sheets[damaged]


def epoch_roles(epochs: list[float], record: RunRecord) -> dict[float, str]:
    """Return the roles of notable epochs that have a grid, the most important ones first."""
    if not epochs:
        return {}
    best = record.quality.best if record.quality else None
    verdict = record.equilibrium
    roles = [
        (best.epoch if best else None, "best"),
        (epochs[-1], "last"),
        (verdict.epoch if verdict else None, verdict.verdict if verdict else ""),
        (epochs[0], "first"),
    ]
    names: dict[float, list[str]] = {}
    for epoch, name in roles:
        if epoch is not None:
            nearest = min(epochs, key=lambda other: abs(other - epoch))
            close = abs(nearest - epoch) <= 1
            names.setdefault(nearest, []).append(name if close else f"nearest to {name}")
    return {epoch: ", ".join(each) for epoch, each in names.items()}


def choose(epochs: list[float], preferred: list[float], count: int) -> list[float]:
    """Choose up to `count` epochs: the `preferred` ones, then each the farthest from all chosen."""
    chosen = [epochs.index(epoch) for epoch in preferred[:count]]
    while chosen and len(chosen) < min(count, len(epochs)):
        chosen.append(
            max(range(len(epochs)), key=lambda index: min(abs(index - other) for other in chosen))
        )
    return [epochs[index] for index in sorted(chosen)]


def _read_all(paths: Mapping[float, Path], notes: list[str]) -> dict[float, Faces]:
    faces: dict[float, Faces] = {}
    for epoch, path in paths.items():
        try:
            faces[epoch] = read_faces(path)
        except ValueError as error:
            notes.append(f"samples/{path.parent.name}/{error}")
    return faces


def _raw(path: Path, side: int) -> Picture | None:
    """Return the grid of the raw generator; None if it is missing or damaged."""
    if not is_regular(path):
        return None
    try:
        return mosaic(read_faces(path), side, side)
    except ValueError:
        return None


def _strips(faces: Faces) -> list[Picture]:
    """Return two rows of faces, shown side by side on wide screens."""
    flat = faces.reshape(1, -1, *faces.shape[2:])
    rows = [flat[:, :STRIP_FACES], flat[:, STRIP_FACES : 2 * STRIP_FACES]]
    strips = [mosaic(row, 1, STRIP_FACES) for row in rows if row.shape[1] == STRIP_FACES]
    return strips if sum(len(strip.png) for strip in strips) <= MAX_STRIP_BYTES else strips[:1]


def _between(
    sheets: Mapping[float, Path],
    side_by_side: list[EpochGrid],
    side: int,
    notes: list[str],
    max_bytes: int,
) -> list[EpochGrid]:
    """Return as many further epochs as fit on the page, spread evenly over the run.

    Those side by side, the strips and the neighbours are part of `max_bytes`.
    """
    shown = [grid.epoch for grid in side_by_side]
    used = [
        len(picture.png)
        for grid in side_by_side
        for picture in (grid.averaged, grid.raw)
        if picture
    ]
    free_bytes = max_bytes - MAX_NEIGHBOURS_BYTES - MAX_STRIP_BYTES - sum(used)
    count = min(MAX_FRAMES, len(shown) + max(0, free_bytes // max(used)))
    epochs = [epoch for epoch in choose(sorted(sheets), shown, count) if epoch not in shown]
    faces = _read_all({epoch: sheets[epoch] for epoch in epochs}, notes)
    return [EpochGrid(epoch, "", mosaic(each, side, side)) for epoch, each in faces.items()]


def _neighbours(path: Path, notes: list[str]) -> Picture | None:
    if not is_regular(path):
        return None
    try:
        return shrink_to_fit(read_sheet(path), MAX_NEIGHBOURS_BYTES)
    except ValueError as error:
        notes.append(str(error))
        return None
