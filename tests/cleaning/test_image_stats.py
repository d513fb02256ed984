"""Image statistics, compared with Pillow and with their definitions pixel by pixel."""

from statistics import fmean, pstdev

import numpy as np
import pytest
from PIL import Image, ImageFilter

from anime_dcgan.cleaning import image_stats
from anime_dcgan.cleaning.image_stats import SIDE
from tests.cleaning.conftest import changed, scaled


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def painted(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((1, SIDE, SIDE, 3), (red, green, blue), np.uint8)


def pixels(face: np.ndarray) -> list[tuple[int, int, int]]:
    return [(int(red), int(green), int(blue)) for red, green, blue in face.reshape(-1, 3)]


def lumas(face: np.ndarray) -> list[float]:
    return [0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue in pixels(face)]


def test_luminance_agrees_with_pillow(faces: np.ndarray):
    for face in (*faces[:4], *noise(1)):
        grey = np.asarray(Image.fromarray(face).convert("L"), dtype=float)
        own = image_stats.luminance(face[None])[0]
        assert (own.shape, own.dtype) == ((SIDE, SIDE), np.float32)
        assert np.abs(own - grey).max() <= 0.51  # Pillow rounds


def test_brightness_is_the_mean_and_contrast_the_standard_deviation(faces: np.ndarray):
    some = np.concatenate([faces[:3], noise(1)])
    brightness, contrast = image_stats.brightness(some), image_stats.contrast(some)
    for face, mean, deviation in zip(some, brightness, contrast, strict=True):
        assert mean == pytest.approx(fmean(lumas(face)), rel=1e-5)
        assert deviation == pytest.approx(pstdev(lumas(face)), rel=1e-4)


def test_colour_is_the_mean_difference_of_the_outer_channels(faces: np.ndarray):
    some = np.concatenate([faces[:3], noise(1)])
    for face, colour in zip(some, image_stats.colour(some), strict=True):
        spread = fmean(max(pixel) - min(pixel) for pixel in pixels(face))
        assert colour == pytest.approx(spread, rel=1e-5)


@pytest.mark.parametrize(
    ("rgb", "brightness", "colour"),
    [
        ((0, 0, 0), 0, 0),
        ((255, 255, 255), 255, 0),
        ((255, 0, 0), 76.245, 255),
        ((0, 255, 0), 149.685, 255),
        ((0, 0, 255), 29.07, 255),
        ((10, 250, 200), 172.54, 240),
    ],
)
def test_a_picture_of_a_single_colour(rgb: tuple[int, int, int], brightness: float, colour: float):
    assert image_stats.brightness(painted(*rgb)) == pytest.approx([brightness], abs=1e-3)
    assert image_stats.colour(painted(*rgb)) == pytest.approx([colour])
    assert image_stats.contrast(painted(*rgb)) == pytest.approx([0], abs=1e-3)
    assert image_stats.sharpness(painted(*rgb)) == pytest.approx([0], abs=1e-3)


def test_half_black_and_half_white_has_maximum_contrast():
    half = painted(0, 0, 0)
    half[:, :, SIDE // 2 :] = 255
    assert image_stats.contrast(half) == pytest.approx([127.5], abs=1e-3)


def squares(plane: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of blocks, one at a time."""
    height, width = (size // factor for size in plane.shape[:2])
    means = np.empty((height, width, *plane.shape[2:]))
    for row in range(height):
        for column in range(width):
            down, across = row * factor, column * factor
            square = plane[down : down + factor, across : across + factor].astype(float)
            means[row, column] = square.mean((0, 1))
    return means


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_shrinking_takes_the_means_of_blocks(factor: int):
    planes = np.random.default_rng(1).normal(size=(2, 16, 24)).astype(np.float32)
    coloured = noise(2)[:, :16, :24]
    for given in (planes, coloured):
        expected = np.stack([squares(one, factor) for one in given])
        np.testing.assert_allclose(
            image_stats.shrink(given, factor), expected, rtol=1e-5, atol=1e-5
        )


def detail(plane: np.ndarray) -> float:
    """Return the root mean square of the detail that a filter of 3x3 px removes."""
    kernel = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    height, width = plane.shape
    lost = []
    for row in range(height):
        for column in range(width):
            smooth = sum(
                kernel[1 + down][1 + across]
                * plane[
                    min(max(row + down, 0), height - 1), min(max(column + across, 0), width - 1)
                ]
                for down in (-1, 0, 1)
                for across in (-1, 0, 1)
            )
            lost.append((plane[row, column] - smooth / 16) ** 2)
    return fmean(lost) ** 0.5


def test_sharpness_is_the_ratio_of_detail_at_two_scales(faces: np.ndarray):
    for face in (faces[0], noise(1)[0]):
        plane = np.array(lumas(face)).reshape(SIDE, SIDE)
        expected = detail(plane) / (detail(squares(plane, 2)) + 1)
        assert image_stats.sharpness(face[None]) == pytest.approx([expected], rel=1e-4)


def test_sharpness_decreases_with_blur(faces: np.ndarray):
    some = faces[:100]
    radii = [0.5, 1.0, 1.5, 2.0, 3.0]
    blurred = [changed(some, lambda face, radius=radius: blur(face, radius)) for radius in radii]
    courses = np.stack([image_stats.sharpness(one) for one in (some, *blurred)])
    assert (np.diff(courses, axis=0) < 0).all()


def blur(face: Image.Image, radius: float) -> Image.Image:
    return face.filter(ImageFilter.GaussianBlur(radius))


def test_sharpness_decreases_with_upscaling(faces: np.ndarray):
    some = faces[:100]
    enlarged = [changed(some, scaled(side)) for side in (48, 32, 24, 16)]
    courses = np.stack([image_stats.sharpness(one) for one in (some, *enlarged)])
    assert (np.diff(courses, axis=0) < 0).all()


def test_statistics_do_not_depend_on_the_batch(faces: np.ndarray):
    some = faces[:9]
    for measure in (
        image_stats.brightness,
        image_stats.contrast,
        image_stats.colour,
        image_stats.sharpness,
    ):
        together = measure(some)
        assert (together.shape, together.dtype) == ((9,), np.float32)
        alone = np.concatenate([measure(face[None]) for face in some])
        np.testing.assert_allclose(together, alone, rtol=1e-5)
