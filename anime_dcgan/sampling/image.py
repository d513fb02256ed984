"""The only conversions between images, NCHW float in [-1, 1], and pixels, NHWC uint8."""

import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

GRID_PADDING = 2  # px between the faces of a grid
ROW_NAMES = "Rows"
"""Keyword of the text in a PNG that has the names of a grid's rows, as JSON."""
MIN_FACE_SIZE = 64  # px, of a face on a grid that people look at


def to_float(pixels: UInt8[Tensor, "n h w c"]) -> Float[Tensor, "n c h w"]:
    """Convert pixels 0..255 to floats in [-1, 1]; the result is channels_last, without a copy."""
    return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Float[Tensor, "n c h w"]) -> UInt8[np.ndarray, "n h w c"]:
    """Convert floats to pixels: clip to [-1, 1], scale to 0..255 and round to nearest."""
    pixels = images.detach().float().add(1.0).mul(127.5).round_().clamp_(0, 255)
    return pixels.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()


def grid(
    pixels: UInt8[np.ndarray, "n h w 3"], columns: int | None = None, scale: int = 1
) -> Image.Image:
    """Return a picture of the faces row by row, as square as possible unless `columns` is given.

    Each pixel of a face becomes `scale` x `scale` pixels of the picture.
    """
    pixels = repeat_pixels(pixels, scale)
    count, height, width, _ = pixels.shape
    across, down = _cells(count, columns)
    cell = np.array([height + GRID_PADDING, width + GRID_PADDING])
    sheet_size = cell * [down, across] + GRID_PADDING
    sheet = np.full((*sheet_size, 3), 255, np.uint8)
    for index, face in enumerate(pixels):
        top, left = cell * divmod(index, across) + GRID_PADDING
        sheet[top : top + height, left : left + width] = face
    return Image.fromarray(sheet)


def repeat_pixels(pixels: UInt8[np.ndarray, "*n h w 3"], scale: int) -> np.ndarray:
    """Return each pixel as `scale` x `scale` equal ones: (*n, scale * h, scale * w, 3)."""
    return pixels.repeat(scale, axis=-3).repeat(scale, axis=-2)


def grid_size(count: int, side: int, columns: int | None, scale: int = 1) -> tuple[int, int]:
    """Return the width and height of the grid of `count` faces of `side` px.

    >>> grid_size(64, 16, None)
    (146, 146)
    """
    cell = scale * side + GRID_PADDING
    across, down = _cells(count, columns)
    return across * cell + GRID_PADDING, down * cell + GRID_PADDING


def _cells(count: int, columns: int | None) -> tuple[int, int]:
    across = min(count, columns or math.ceil(math.sqrt(count)))
    return across, math.ceil(count / across)


def describe_rows(names: Sequence[str] | None) -> PngInfo:
    """Return the metadata of a grid whose rows have these names; `page.sheets` reads them."""
    info = PngInfo()
    if names is not None:
        info.add_text(ROW_NAMES, json.dumps(list(names)))
    return info


def visible_scale(face_size: int) -> int:
    """Return the smallest whole scale at which a face is at least `MIN_FACE_SIZE` px high."""
    return math.ceil(MIN_FACE_SIZE / face_size)


def to_png(picture: Image.Image, compress_level: int = 4) -> bytes:
    """Return the picture encoded as PNG.

    The default level 6 takes up to 1.7 times as long, for files that differ by at most 3 % in size.
    """
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=compress_level)
    return file.getvalue()


def write_gif(frames: Iterable[Image.Image], path: Path, frames_per_second: float) -> None:
    """Write pictures of one size as an endlessly looping GIF."""
    palettes = [frame.convert("P", palette=Image.Palette.ADAPTIVE, colors=256) for frame in frames]
    settings: dict[str, Any] = {"duration": round(1000 / frames_per_second), "loop": 0}
    palettes[0].save(path, "GIF", save_all=True, append_images=palettes[1:], **settings)
