"""Encode faces as PNG files with metadata."""

import io
import json

import numpy as np
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin

from anime_dcgan.explore.face import Face
from anime_dcgan.sampling import image

FAST_COMPRESSION = 1  # zlib level; a wall is displayed once


def sprite(pixels: UInt8[np.ndarray, "n h w 3"], columns: int) -> bytes:
    """Return a PNG of faces edge to edge, with black in the unused cells of the last row."""
    count, height, width, _ = pixels.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width, 3), np.uint8)
    cells[:count] = pixels
    sheet = cells.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    picture = Image.fromarray(sheet.reshape(rows * height, columns * width, 3))
    return image.to_png(picture, FAST_COMPRESSION)


def grid(pixels: UInt8[np.ndarray, "n h w 3"], columns: int, scale: int, padding: int) -> bytes:
    """Return a PNG of enlarged faces on a white sheet, or edge to edge if `padding` is 0."""
    if padding == 0:
        return sprite(pixels.repeat(scale, axis=1).repeat(scale, axis=2), columns)
    return image.to_png(image.grid(pixels, columns, scale))


def pixels(png: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Return the pixels of a stored picture."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("RGB"))


def portrait(pixels: UInt8[np.ndarray, "h w 3"], face: Face, story: str, scale: int = 1) -> bytes:
    """Return a PNG of one face whose metadata hold the face as JSON, and its story."""
    size = (pixels.shape[1] * scale, pixels.shape[0] * scale)
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Software", "anime_dcgan")
    metadata.add_text("anime_dcgan", json.dumps(face.to_json()))
    if story:
        metadata.add_itxt("Description", story)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=metadata)
    return file.getvalue()
