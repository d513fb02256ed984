"""Faces of each class, from the latest grid of a labelled run."""

import json
from dataclasses import dataclass
from pathlib import Path

from anime_dcgan.page.sheets import Picture, mosaic_within, read_sheet, split_grid
from anime_dcgan.run.runs import by_epoch, epoch_of

ROW_NAMES = "Rows"  # equals `image.ROW_NAMES`, whose module loads torch
MAX_BYTES = 600_000  # PNG of all classes
MAX_ROWS = 64


@dataclass(frozen=True)
class LabelRow:
    """Faces of one class."""

    name: str
    picture: Picture


@dataclass(frozen=True)
class LabelRows:
    """The same latents, drawn as each class."""

    epoch: float
    rows: list[LabelRow]

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(len(row.picture.png) for row in self.rows)


def read_label_rows(run: Path, notes: list[str], max_bytes: float = MAX_BYTES) -> LabelRows | None:
    """Return the latest faces of each class; None without labels. Damaged grids are noted."""
    for path in reversed(by_epoch(run / "samples" / "labels", ".png")):
        try:
            return LabelRows(epoch_of(path), _read_rows(path, max_bytes))
        except ValueError as error:
            notes.append(f"samples/labels/{error}")
    return None


def _read_rows(path: Path, max_bytes: float) -> list[LabelRow]:
    sheet = read_sheet(path)
    names, faces = _read_names(sheet.info.get(ROW_NAMES)), split_grid(sheet)
    if not names or len(names) != len(faces):
        raise ValueError(f"{path.name} is damaged and left out: it does not name its classes")
    each = max_bytes / min(len(names), MAX_ROWS)
    return [
        LabelRow(name, mosaic_within(row[None], each))
        for name, row in zip(names[:MAX_ROWS], faces, strict=False)
    ]


def _read_names(text: object) -> list[str]:
    """Return the names; none if the text is damaged."""
    try:
        names = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []
