"""PNGs of faces, with what they are written into them."""

import io
import json

import numpy as np
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin

from anime_dcgan.explore.face import Face
from anime_dcgan.sampling import image

FAST = 1  # of zlib: a wall is looked at once


def sprite(pixels: UInt8[np.ndarray, "n h w 3"], columns: int) -> bytes:
    """Faces edge to edge, `columns` in a row, black where the last row is not full."""
    count, height, width, _ = pixels.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
    sheet[:count] = pixels
    whole = sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    return image.to_png(Image.fromarray(whole.reshape(rows * height, columns * width, 3)), FAST)


def grid(pixels: UInt8[np.ndarray, "n h w 3"], columns: int, scale: int, padding: int) -> bytes:
    """Faces on a white sheet, each pixel `scale` times enlarged; edge to edge without padding."""
    if padding == 0:
        return sprite(pixels.repeat(scale, axis=1).repeat(scale, axis=2), columns)
    return image.to_png(image.grid(pixels, columns, scale))


def portrait(pixels: UInt8[np.ndarray, "h w 3"], face: Face, story: str, scale: int = 1) -> bytes:
    """One face; its metadata say how to draw it again, and its story."""
    size = (pixels.shape[1] * scale, pixels.shape[0] * scale)
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    words = PngImagePlugin.PngInfo()
    words.add_text("Software", "anime_dcgan")
    words.add_text("anime_dcgan", json.dumps(face.to_json()))
    if story:
        words.add_itxt("Description", story)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=words)
    return file.getvalue()
