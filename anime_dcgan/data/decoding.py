"""Decoding of pictures to square RGB; the only module that handles image formats."""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import simplejpeg
from PIL import Image

from anime_dcgan.data.source import Unreadable

MAX_PIXELS = 64 * 1024**2
"""Max pixels; larger pictures are rejected by their header, before decoding."""

FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM"),
    *("TGA", "ICO", "PCX", "SGI", "QOI", "DDS", "PSD"),
)
"""Formats that Pillow may open, whatever the file name; without EPS, which runs Ghostscript."""

DRAFT_MARGIN = 3
"""A JPEG may be decoded at 1/2, 1/4 or 1/8 scale if it stays this many times the target size."""

JPEG = b"\xff\xd8\xff"
"""First bytes of every JPEG."""

APP1 = b"\xff\xe1"
"""First bytes of EXIF or XMP in a JPEG, which may hold its orientation; never among its pixels."""

START_OF_SCAN = b"\xff\xda"

MAX_SCANS = 500
"""Max scans of a progressive JPEG; each takes as long as decoding the picture once."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Operation that shows a picture upright, by EXIF orientation (Exif 2.3, tag 0x0112)."""

ORIENTATION = 0x0112

Stream = io.BytesIO | io.BufferedReader


def decode(stream: Stream, image_size: int) -> Image.Image:
    """Decode a picture of any common format and mode to RGB of `image_size` x `image_size` px.

    The result is the centre square of the first frame, antialiased, with the EXIF orientation
    applied, transparency on white and more than 8 bits scaled to 8. A picture that already has the
    size is not resampled. Raises whatever Pillow raises, and `Unreadable` or one of Pillow's bomb
    errors if the header declares too many pixels.
    """
    min_side = DRAFT_MARGIN * image_size
    picture = _plain_jpeg(stream, 2 * min_side)
    if picture is not None:
        return fit(centre_square(picture), image_size)
    with _opened(stream) as image:
        image.draft(None, (min_side, min_side))
        image.load()
        turn = _turn(image)
        face = fit(_to_rgb(centre_square(image)), image_size)
        return face if turn is None else face.transpose(turn)


def decode_whole(stream: Stream) -> Image.Image:
    """Decode a picture as `decode` does, but uncropped and in its own size."""
    plain = _plain_jpeg(stream)
    if plain is not None:
        return plain
    with _opened(stream) as image:
        image.load()
        turn = _turn(image)
        picture = _to_rgb(image)
        return picture if turn is None else picture.transpose(turn)


def fit(square: Image.Image, image_size: int) -> Image.Image:
    """Resize a square picture to `image_size` px, antialiased; a picture of that size is kept."""
    size = (image_size, image_size)
    if square.size == size:
        return square
    return square.resize(size, Image.Resampling.LANCZOS, reducing_gap=DRAFT_MARGIN)


def centre_square(image: Image.Image) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image if width == height else image.crop((left, top, left + side, top + side))


def _plain_jpeg(stream: Stream, max_side: float = math.inf) -> Image.Image | None:
    """Decode a grey or RGB JPEG without metadata, its shorter side below `max_side` px, or None.

    The pixels equal Pillow's to the last bit, since both use libjpeg-turbo, and small pictures take
    half the time. Everything unusual, including damage, is left to Pillow, with the stream back at
    its start.
    """
    if stream.read(len(JPEG)) == JPEG:
        data = JPEG + stream.read()
        _check_scans(data)
        try:
            height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
            size = int(height), int(width)
            plain = colours in ("YCbCr", "Gray", "RGB") and math.prod(size) <= MAX_PIXELS
            if plain and min(size) < max_side and APP1 not in data:
                return Image.fromarray(simplejpeg.decode_jpeg(data))
        except ValueError:
            pass
    stream.seek(0)
    return None


def _check_scans(jpeg: bytes) -> None:
    """Raise `Unreadable` above `MAX_SCANS`; the marker of a scan never occurs among the pixels."""
    scans = jpeg.count(START_OF_SCAN)
    if scans > MAX_SCANS:
        raise Unreadable(f"a progressive JPEG of {scans:,} scans, above the limit of {MAX_SCANS}")


@contextmanager
def _opened(stream: Stream) -> Iterator[Image.Image]:
    """Open the picture: read its header and decode nothing yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata, which is not used
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(stream, formats=FORMATS) as image:
            _check_pixels(image.size)
            yield image


def _check_pixels(size: tuple[int, int]) -> None:
    """Raise `Unreadable` above `MAX_PIXELS`."""
    width, height = size
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1024**2
        raise Unreadable(f"{width} x {height} px is more than the limit of {limit} Mi pixels")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return the operation that turns the picture upright; None if it is upright already."""
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGB; transparent parts become white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    """Convert grey values of 16 or 32 bits to uint8, rounded.

    Integers range over 0..65535, floats over the first of 0..1, 0..255 and 0..65535 that contains
    them; all other values are stretched from their minimum to their maximum.
    """
    tops = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (65535.0,)
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is None:
        values, top = values - low, (high - low) or 1.0
    return np.rint(values * (255.0 / top)).clip(0, 255).astype(np.uint8)
