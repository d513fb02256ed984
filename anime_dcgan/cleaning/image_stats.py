"""Image statistics of faces: brightness, contrast, colour, sharpness.

Each of these four takes faces of `SIDE` px, uint8 RGB (n, SIDE, SIDE, 3), and returns float32 (n,).
"""

import numpy as np

SIDE = 64
"""Size at which faces are measured, px, independent of the size in training."""

REC601 = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def luminance(faces: np.ndarray) -> np.ndarray:
    """Return the luma of ITU-R BT.601: float32 (n, SIDE, SIDE), 0..255."""
    return faces.astype(np.float32) @ REC601


def brightness(faces: np.ndarray) -> np.ndarray:
    """Return the mean luminance, 0..255."""
    return luminance(faces).mean((1, 2))


def contrast(faces: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the luminance, 0..128."""
    return luminance(faces).std((1, 2))


def colour(faces: np.ndarray) -> np.ndarray:
    """Return the mean difference between a pixel's strongest and weakest channel, 0..255."""
    red, green, blue = np.moveaxis(faces, 3, 0)  # pairwise is faster than along an axis of length 3
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return spread.mean((1, 2), dtype=np.float32)


def sharpness(faces: np.ndarray) -> np.ndarray:
    """Return the ratio, 0 or more, of the finest details to those of twice their size.

    The detail of a scale is what a binomial filter of three pixels removes. A sharp drawing has
    about as much detail at both scales; blurring it, or enlarging a small picture, removes the
    finest.
    """
    fine = luminance(faces)
    coarse = shrink(fine, 2)
    return _detail(fine) / (_detail(coarse) + 1)


def shrink(planes: np.ndarray, factor: int) -> np.ndarray:
    """Return means of blocks of `factor` px: (n, h, w, ...) to (n, h / factor, w / factor, ...)."""
    count, height, width, *rest = planes.shape
    rows = planes.reshape(count, height // factor, factor, width, *rest)
    rows = rows.sum(2, dtype=np.float32)  # summing one axis at a time is faster than both at once
    blocks = rows.reshape(count, height // factor, width // factor, factor, *rest)
    return blocks.sum(3) / np.float32(factor**2)


def _detail(planes: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(planes - _smooth(_smooth(planes, 1), 2)).mean((1, 2)))


def _smooth(planes: np.ndarray, axis: int) -> np.ndarray:
    """Apply the filter (1, 2, 1) / 4 along an axis, with edges repeated."""
    width = [(1, 1) if number == axis else (0, 0) for number in range(planes.ndim)]
    padded = np.moveaxis(np.pad(planes, width, mode="edge"), axis, 0)
    return np.moveaxis((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4, 0, axis)
