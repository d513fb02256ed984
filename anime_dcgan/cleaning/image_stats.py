"""What a face looks like in a few numbers: brightness, contrast, colour, sharpness.

All functions take faces of `SIDE` px, uint8 RGB (n, SIDE, SIDE, 3), and return float32 (n,).
"""

import numpy as np

SIDE = 64
"""Pictures are looked at in this size, px, whatever they are trained in."""

REC601 = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def luminance(faces: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601, float32 (n, SIDE, SIDE), 0..255."""
    return faces.astype(np.float32) @ REC601


def brightness(faces: np.ndarray) -> np.ndarray:
    """Mean luminance, 0..255."""
    return luminance(faces).mean((1, 2))


def contrast(faces: np.ndarray) -> np.ndarray:
    """Standard deviation of the luminance, 0..128."""
    return luminance(faces).std((1, 2))


def colour(faces: np.ndarray) -> np.ndarray:
    """Mean distance between the strongest and the weakest channel of a pixel, 0..255."""
    red, green, blue = np.moveaxis(faces, 3, 0)  # pairs are faster than an axis of three
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return spread.mean((1, 2), dtype=np.float32)


def sharpness(faces: np.ndarray) -> np.ndarray:
    """How strong the finest details are beside those of twice their size; a ratio, 0 or more.

    The detail of a scale is what a binomial filter of three pixels takes away. A sharp drawing has
    about as much of one as of the other; blurring, or enlarging a small picture, takes the finest.
    """
    fine = luminance(faces)
    coarse = shrink(fine, 2)
    return _detail(fine) / (_detail(coarse) + 1)


def shrink(planes: np.ndarray, factor: int) -> np.ndarray:
    """Means of squares of `factor` px: (n, h, w, ...) to (n, h / factor, w / factor, ...)."""
    count, height, width, *rest = planes.shape
    rows = planes.reshape(count, height // factor, factor, width, *rest)
    rows = rows.sum(2, dtype=np.float32)  # one axis after the other is faster than both
    blocks = rows.reshape(count, height // factor, width // factor, factor, *rest)
    return blocks.sum(3) / np.float32(factor**2)


def _detail(planes: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(planes - _smooth(_smooth(planes, 1), 2)).mean((1, 2)))


def _smooth(planes: np.ndarray, axis: int) -> np.ndarray:
    """The filter (1, 2, 1) / 4 along an axis, edges repeated."""
    width = [(1, 1) if number == axis else (0, 0) for number in range(planes.ndim)]
    padded = np.moveaxis(np.pad(planes, width, mode="edge"), axis, 0)
    return np.moveaxis((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4, 0, axis)
