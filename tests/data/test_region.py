"""Square regions of pictures: the origin of their pixels, and their text form."""

import math

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data.decoding import fit
from anime_dcgan.data.region import Region

ANGLES = [-30.0, 10.0, 25.0, 90.0, 180.0]


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def waves(
    side: int, periods: float, centre: tuple[float, float], size: int, angle: float
) -> Image.Image:
    """Return a pattern of soft waves, turned counter-clockwise about `centre`.

    Each pixel is computed from the formula; nothing is resampled.
    """
    y, x = np.mgrid[:size, :size] + 0.5
    right, down = x - centre[0], y - centre[1]
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    u = (right * cosine - down * sine) / side
    v = (right * sine + down * cosine) / side
    shades = [np.sin(2 * math.pi * periods * u), np.cos(2 * math.pi * periods * v), u + v]
    return Image.fromarray(np.rint(127.5 + 80 * np.stack(shades, axis=-1)).astype(np.uint8))


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    assert one.size == other.size
    return np.abs(np.asarray(one).astype(int) - np.asarray(other))


@pytest.mark.parametrize("image_size", [8, 20, 32])
def test_an_upright_square_of_whole_pixels_equals_a_crop(image_size: int):
    picture = noise(50, 40)
    cropped = fit(picture.crop((11, 7, 31, 27)), image_size)
    assert difference(Region(11, 7, 20).cut(picture, image_size), cropped).max() == 0


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3), (360, 0)])
def test_right_angles_move_pixels_almost_unchanged(angle: float, turns: int):
    """A region turned counter-clockwise is shown upright by turning it clockwise."""
    picture = noise(50, 40)
    moved = np.rot90(np.asarray(picture)[7:27, 11:31], -turns)
    assert difference(Region(11, 7, 20, angle).cut(picture, 20), Image.fromarray(moved)).max() <= 1


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("image_size", [32, 60, 100])
def test_a_turned_pattern_is_cut_back_upright(angle: float, image_size: int):
    """Compare with the same pattern, drawn upright at the size of the result."""
    picture = waves(60, 2, (80.5, 70.25), 160, angle)
    cut = Region(80.5 - 30, 70.25 - 30, 60, angle).cut(picture, image_size)
    middle = image_size / 2
    expected = waves(image_size, 2, (middle, middle), image_size, 0)
    inside = (slice(2, -2), slice(2, -2))  # at the border, `fit` averages one side only
    assert difference(cut, expected)[inside].max() <= 4


@pytest.mark.parametrize("angle", [0.0, 20.0])
def test_a_strong_reduction_averages(angle: float):
    """Stripes of 2 px turn grey when 1,000 px become 10; picking pixels would show stripes."""
    stripes = np.zeros((1500, 1500, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = Region(250.0, 250.0, 1000.0, angle).cut(Image.fromarray(stripes), 10)
    assert difference(cut, Image.new("RGB", (10, 10), (128, 128, 128))).max() <= 8


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("side", [60.0, 1000.0])
def test_a_reduced_square_keeps_its_position(side: float, angle: float):
    """Locate the centre of a dark disc to a fraction of a pixel, with and without blocks."""
    size, (x, y) = round(2 * side), (1.1 * side, 0.93 * side)
    rows, columns = np.mgrid[:size, :size] + 0.5
    disc = np.hypot(columns - x, rows - y) < side / 5
    picture = Image.fromarray(np.where(disc, 0, 255).astype(np.uint8)).convert("RGB")
    offset_u, offset_v = 0.15, -0.1
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    middle_x = x - side * (offset_u * cosine + offset_v * sine)
    middle_y = y - side * (-offset_u * sine + offset_v * cosine)
    cut = Region(middle_x - side / 2, middle_y - side / 2, side, angle).cut(picture, 20)
    dark = 255.0 - np.asarray(cut)[..., 0]
    v, u = np.mgrid[:20, :20] + 0.5
    assert (dark * u).sum() / dark.sum() / 20 - 0.5 == pytest.approx(offset_u, abs=0.005)
    assert (dark * v).sum() / dark.sum() / 20 - 0.5 == pytest.approx(offset_v, abs=0.005)
    assert dark.sum() / 255 / 400 == pytest.approx(math.pi / 25, rel=0.02)


def test_parts_beyond_the_edges_are_white():
    picture = Image.new("RGB", (40, 30), (10, 20, 30))
    cut = np.asarray(Region(-5, 20, 20).cut(picture, 20))
    assert (cut[:10, 5:] == (10, 20, 30)).all()
    assert (cut[10:] == 255).all()
    assert (cut[:, :5] == 255).all()


@pytest.mark.parametrize("angle", [0.0, 15.0])
@pytest.mark.parametrize("square", [(-500.0, 0.0, 60.0), (5000.0, -900.0, 800.0)])
def test_a_square_outside_the_picture_is_white(square: tuple[float, float, float], angle: float):
    cut = Region(*square, angle).cut(Image.new("RGB", (40, 30)), 8)
    assert difference(cut, Image.new("RGB", (8, 8), "white")).max() == 0


def test_a_huge_square_needs_little_memory():
    cut = np.asarray(Region(-5e6, -5e6, 1e7).cut(Image.new("RGB", (40, 30)), 8))
    assert (cut[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()


@pytest.mark.parametrize(
    ("region", "text"),
    [
        (Region(1, 2, 3), "1 2 3 0"),
        (Region(-12.5, 0, 0.25, -7.31), "-12.5 0 0.25 -7.31"),
        (Region(12345.67, 1e-3, 54321.01, 29.99), "12345.67 0.001 54321.01 29.99"),
    ],
)
def test_a_region_is_parsed_as_written(region: Region, text: str):
    assert str(region) == text
    assert Region.parse(text) == region


@pytest.mark.parametrize(
    "text",
    ["", "1 2 3", "1 2 3 4 5", "a b c d", "1 2 0 0", "1 2 -3 0", "1 2 inf 0", "nan 2 3 0"],
)
def test_invalid_regions_are_rejected(text: str):
    with pytest.raises(ValueError):
        Region.parse(text)
