"""Grids of faces as a page carries them: taken apart, at their own size, within a budget."""

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

GAP = 2  # px: `image.GRID_PADDING`, whose module loads torch
SMALLEST_FACE = 8  # px
LARGEST_ENLARGEMENT = 8  # of a face on its sheet

Faces = UInt8[np.ndarray, "rows columns height width 3"]


@dataclass(frozen=True)
class Picture:
    """What an `<img>` of the page needs."""

    png: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def read_sheet(path: Path) -> Image.Image:
    """A picture of the run; ValueError if it is damaged or not yet whole."""
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path.name} is damaged and left out: {error}") from None


def faces_of(sheet: Image.Image) -> Faces:
    """The faces of a grid as the training writes them, without gaps and enlargement.

    A picture without such gaps comes back whole, as one face.
    """
    pixels = np.asarray(sheet)
    cell = _cell(pixels)
    if cell is None:
        return pixels[None, None]
    rows, columns = (side // cell for side in pixels.shape[:2])
    cells = pixels[GAP:, GAP:].reshape(rows, cell, columns, cell, 3).swapaxes(1, 2)
    return _own_size(cells[:, :, : cell - GAP, : cell - GAP])


def _cell(pixels: UInt8[np.ndarray, "height width 3"]) -> int | None:
    """The distance of two faces: the smallest at which all of the sheet's white gaps lie."""
    height, width, _ = pixels.shape
    white = pixels.min(axis=2) == 255
    for cell in range(SMALLEST_FACE + GAP, min(width, height) - GAP + 1):
        if (width - GAP) % cell == 0 == (height - GAP) % cell:
            down, across = np.arange(0, height, cell), np.arange(0, width, cell)
            if all(white[down + i].all() and white[:, across + i].all() for i in range(GAP)):
                return cell
    return None


def _own_size(faces: Faces) -> UInt8[np.ndarray, "rows columns own_height own_width 3"]:
    """Undo an enlargement by whole pixels."""
    for factor in range(LARGEST_ENLARGEMENT, 1, -1):
        if faces.shape[2] % factor == 0:
            small = faces[:, :, ::factor, ::factor]
            if np.array_equal(small.repeat(factor, axis=2).repeat(factor, axis=3), faces):
                return small
    return faces


def mosaic(faces: Faces, rows: int, columns: int) -> Picture:
    """The first rows and columns of faces, with clear gaps that show the page."""
    chosen = faces[:rows, :columns]
    rows, columns, height, width, _ = chosen.shape
    cells = np.zeros((rows, columns, height + GAP, width + GAP, 4), np.uint8)
    cells[:, :, :height, :width, :3] = chosen
    cells[:, :, :height, :width, 3] = 255
    sheet = cells.swapaxes(1, 2).reshape(rows * (height + GAP), columns * (width + GAP), 4)
    return _encode(Image.fromarray(sheet[:-GAP, :-GAP]))


def side_within(faces: Faces, limit: float) -> int:
    """How many faces a side a square mosaic of at most about `limit` bytes may have; 1 or more."""
    rows, columns = faces.shape[:2]
    each = len(mosaic(faces, rows, columns).png) / (rows * columns)
    return max(1, min(rows, columns, math.isqrt(int(limit / each))))


def fitted(picture: Image.Image, limit: int) -> Picture:
    """The picture in at most `limit` bytes, halved as often as that takes."""
    encoded = _encode(picture)
    while len(encoded.png) > limit and min(picture.size) > 1:
        picture = picture.reduce(2)
        encoded = _encode(picture)
    return encoded


def _encode(picture: Image.Image) -> Picture:
    file = io.BytesIO()
    picture.save(file, "png")
    return Picture(file.getvalue(), picture.width, picture.height)
