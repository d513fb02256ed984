"""Split grids of faces, and encode mosaics of them within a limit of bytes."""

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from anime_dcgan.system.errors import reason_of
from anime_dcgan.system.reader import open_regular

GAP = 2  # px; equals `image.GRID_PADDING`, whose module loads torch
MIN_FACE = 8  # px
MAX_SCALE = 8  # integer factor by which a grid may be enlarged

Faces = UInt8[np.ndarray, "rows columns height width 3"]


@dataclass(frozen=True)
class Picture:
    """A picture for an `<img>` of the page."""

    png: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def read_faces(path: Path) -> Faces:
    """Read a grid of faces. Raises ValueError if it is damaged or incomplete."""
    return split_grid(read_sheet(path))


def read_sheet(path: Path) -> Image.Image:
    """Read a picture of the run. Raises ValueError if it is damaged or incomplete."""
    try:
        with open_regular(path) as file, Image.open(file) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path.name} is damaged and left out: {reason_of(error)}") from None


def split_grid(sheet: Image.Image) -> Faces:
    """Return the faces of a grid as the training writes it, without gaps and enlargement.

    A picture without such gaps is returned as a single face.
    """
    pixels = np.asarray(sheet)
    cell = _cell(pixels)
    if cell is None:
        return pixels[None, None]
    rows, columns = (side // cell for side in pixels.shape[:2])
    cells = pixels[GAP:, GAP:].reshape(rows, cell, columns, cell, 3).swapaxes(1, 2)
    return _undo_scale(cells[:, :, : cell - GAP, : cell - GAP])


def _cell(pixels: UInt8[np.ndarray, "height width 3"]) -> int | None:
    """Return the grid's period in px: the smallest at which all gaps are white, or None."""
    height, width, _ = pixels.shape
    white = pixels.min(axis=2) == 255
    for cell in range(MIN_FACE + GAP, min(width, height) - GAP + 1):
        if (width - GAP) % cell == 0 == (height - GAP) % cell:
            down, across = np.arange(0, height, cell), np.arange(0, width, cell)
            if all(white[down + i].all() and white[:, across + i].all() for i in range(GAP)):
                return cell
    return None


def _undo_scale(faces: Faces) -> UInt8[np.ndarray, "rows columns small_height small_width 3"]:
    """Undo an enlargement by an integer factor."""
    for factor in range(MAX_SCALE, 1, -1):
        if faces.shape[2] % factor == 0:
            small = faces[:, :, ::factor, ::factor]
            if np.array_equal(small.repeat(factor, axis=2).repeat(factor, axis=3), faces):
                return small
    return faces


def mosaic(faces: Faces, rows: int, columns: int) -> Picture:
    """Return the first rows and columns of faces, with transparent gaps."""
    return _encode(_join(faces[:rows, :columns]))


def mosaic_within(faces: Faces, max_bytes: float) -> Picture:
    """Return all faces with transparent gaps, halved in size until `max_bytes` suffice."""
    return shrink_to_fit(_join(faces), max_bytes)


def _join(faces: Faces) -> Image.Image:
    rows, columns, height, width, _ = faces.shape
    cells = np.zeros((rows, columns, height + GAP, width + GAP, 4), np.uint8)
    cells[:, :, :height, :width, :3] = faces
    cells[:, :, :height, :width, 3] = 255
    sheet = cells.swapaxes(1, 2).reshape(rows * (height + GAP), columns * (width + GAP), 4)
    return Image.fromarray(sheet[:-GAP, :-GAP])


def side_within(faces: Faces, max_bytes: float) -> int:
    """Return the side, in faces, of the largest square mosaic of about `max_bytes`; at least 1."""
    rows, columns = faces.shape[:2]
    each = len(mosaic(faces, rows, columns).png) / (rows * columns)
    return max(1, min(rows, columns, math.isqrt(int(max_bytes / each))))


def shrink_to_fit(picture: Image.Image, max_bytes: float) -> Picture:
    """Return the picture in at most `max_bytes`, halving it as often as necessary."""
    encoded = _encode(picture)
    while len(encoded.png) > max_bytes and min(picture.size) > 1:
        picture = picture.reduce(2)
        encoded = _encode(picture)
    return encoded


def _encode(picture: Image.Image) -> Picture:
    file = io.BytesIO()
    picture.save(file, "png")
    return Picture(file.getvalue(), picture.width, picture.height)
