"""Which epochs' faces the page shows, and how many of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anime_dcgan.page.sheets import (
    Faces,
    Picture,
    faces_of,
    fitted,
    mosaic,
    read_sheet,
    side_within,
)
from anime_dcgan.run.record import Record
from anime_dcgan.run.runs import by_epoch, epoch_of

PICTURES_LIMIT = 4_000_000  # bytes of PNG on a page; base64 makes a third more of them
BESIDE_LIMIT = 2_400_000  # of these, for the grids side by side
NEIGHBOURS_LIMIT = 700_000
STRIP_LIMIT = 150_000
MOST_FRAMES = 24  # of the film
STRIP_FACES = 6  # of each of the two strips below the title


@dataclass(frozen=True)
class Grid:
    """The faces of an epoch; `names` says what is special about it (first, best, ...)."""

    epoch: float
    names: str
    averaged: Picture
    raw: Picture | None = None

    @property
    def title(self) -> str:
        return f"epoch {self.epoch:g}"


@dataclass(frozen=True)
class Gallery:
    """The pictures of a page. All grids are of the same latents."""

    strips: list[Picture]
    strip_title: str
    beside: list[Grid]
    between: list[Grid]
    """Further epochs of the film, which shows them with those side by side."""
    neighbours: Picture | None


def gallery_of(run: Path, record: Record, count: int) -> Gallery:
    """The pictures of a run, `count` epochs side by side; what is damaged goes to the notes."""
    neighbours = _neighbours(run / "neighbours.png", record.notes)
    sheets = {epoch_of(path): path for path in by_epoch(run / "samples" / "ema", ".png")}
    places, faces = _beside(sheets, record, count)
    if not faces:
        return Gallery([], "", [], [], neighbours)
    side = side_within(faces[max(faces)], BESIDE_LIMIT / (2 * len(faces)))
    raw = run / "samples" / "raw"
    beside = [
        Grid(
            epoch,
            names=places.get(epoch, ""),
            averaged=mosaic(found, side, side),
            raw=_raw(raw / sheets[epoch].name, side),
        )
        for epoch, found in faces.items()
    ]
    shown = next(iter(places))
    return Gallery(
        strips=_strips(faces[shown]),
        strip_title=f"Faces of epoch {shown:g}",
        beside=beside,
        between=_between(sheets, beside, side, record.notes),
        neighbours=neighbours,
    )


def _beside(
    sheets: dict[float, Path], record: Record, count: int
) -> tuple[dict[float, str], dict[float, Faces]]:
    """The names and the faces of the epochs to show; damaged ones leave `sheets` to others."""
    while True:
        places = named_places(sorted(sheets), record)
        chosen = choose(sorted(sheets), list(places), count)
        faces = _read_all({epoch: sheets[epoch] for epoch in chosen}, record.notes)
        if len(faces) == len(chosen):
            return places, faces
        for damaged in set(chosen) - set(faces):
            del sheets[damaged]


def named_places(epochs: list[float], record: Record) -> dict[float, str]:
    """What is special about some of the epochs that have a grid, the most important ones first."""
    if not epochs:
        return {}
    best = record.quality.best if record.quality else None
    verdict = record.equilibrium
    wanted = [
        (best.epoch if best else None, "best"),
        (epochs[-1], "last"),
        (verdict.epoch if verdict else None, verdict.verdict if verdict else ""),
        (epochs[0], "first"),
    ]
    names: dict[float, list[str]] = {}
    for epoch, name in wanted:
        if epoch is not None:
            nearest = min(epochs, key=lambda other: abs(other - epoch))
            close = abs(nearest - epoch) <= 1
            names.setdefault(nearest, []).append(name if close else f"nearest to {name}")
    return {epoch: ", ".join(found) for epoch, found in names.items()}


def choose(epochs: list[float], wanted: list[float], count: int) -> list[float]:
    """At most `count` epochs: those wanted, then always the one farthest from all chosen."""
    chosen = [epochs.index(epoch) for epoch in wanted[:count]]
    while chosen and len(chosen) < min(count, len(epochs)):
        chosen.append(
            max(range(len(epochs)), key=lambda one: min(abs(one - other) for other in chosen))
        )
    return [epochs[index] for index in sorted(chosen)]


def _read_all(paths: Mapping[float, Path], notes: list[str]) -> dict[float, Faces]:
    found: dict[float, Faces] = {}
    for epoch, path in paths.items():
        try:
            found[epoch] = faces_of(read_sheet(path))
        except ValueError as error:
            notes.append(f"samples/{path.parent.name}/{error}")
    return found


def _raw(path: Path, side: int) -> Picture | None:
    """The grid of the raw generator; None if it is missing or damaged."""
    if not path.is_file():
        return None
    try:
        return mosaic(faces_of(read_sheet(path)), side, side)
    except ValueError:
        return None


def _strips(faces: Faces) -> list[Picture]:
    """Two rows of faces, which lie side by side where there is room."""
    flat = faces.reshape(1, -1, *faces.shape[2:])
    rows = [flat[:, :STRIP_FACES], flat[:, STRIP_FACES : 2 * STRIP_FACES]]
    strips = [mosaic(row, 1, STRIP_FACES) for row in rows if row.shape[1] == STRIP_FACES]
    return strips if sum(len(strip.png) for strip in strips) <= STRIP_LIMIT else strips[:1]


def _between(
    sheets: Mapping[float, Path], beside: list[Grid], side: int, notes: list[str]
) -> list[Grid]:
    """As many further epochs as the page has room for, evenly over the run."""
    shown = [grid.epoch for grid in beside]
    used = [len(picture.png) for grid in beside for picture in (grid.averaged, grid.raw) if picture]
    room = PICTURES_LIMIT - NEIGHBOURS_LIMIT - STRIP_LIMIT - sum(used)
    count = min(MOST_FRAMES, len(shown) + max(0, room // max(used)))
    epochs = [epoch for epoch in choose(sorted(sheets), shown, count) if epoch not in shown]
    faces = _read_all({epoch: sheets[epoch] for epoch in epochs}, notes)
    return [Grid(epoch, "", mosaic(found, side, side)) for epoch, found in faces.items()]


def _neighbours(path: Path, notes: list[str]) -> Picture | None:
    if not path.is_file():
        return None
    try:
        return fitted(read_sheet(path), NEIGHBOURS_LIMIT)
    except ValueError as error:
        notes.append(str(error))
        return None
