"""Splitting grids into faces, and putting mosaics together."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.page import labels
from anime_dcgan.page.sheets import GAP, mosaic, read_sheet, shrink_to_fit, side_within, split_grid
from anime_dcgan.sampling import image
from tests.run_folder import noise


def test_the_constants_of_grids_are_those_that_the_training_writes():
    assert GAP == image.GRID_PADDING
    assert labels.ROW_NAMES == image.ROW_NAMES


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize(("count", "columns"), [(64, 8), (4, 2), (12, 6), (1, 1)])
def test_a_grid_is_split_into_identical_faces(count: int, columns: int, scale: int):
    pixels = noise(count, 16)
    faces = split_grid(image.grid(pixels, columns, scale))
    assert faces.shape == (count // columns, columns, 16, 16, 3)
    assert np.array_equal(faces.reshape(pixels.shape), pixels)


def test_empty_cells_of_a_grid_are_white():
    faces = split_grid(image.grid(noise(7, 16), 3))
    assert faces.shape[:2] == (3, 3)
    assert faces[2, 1:].min() == 255


def test_a_picture_without_gaps_is_one_face():
    assert split_grid(Image.fromarray(noise(1, 33)[0])).shape == (1, 1, 33, 33, 3)


def test_a_mosaic_has_the_first_faces_and_transparent_gaps():
    faces = split_grid(image.grid(noise(9, 16)))
    picture = mosaic(faces, 2, 2)
    assert picture.uri.startswith("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))) as opened:
        pixels = np.asarray(opened)
    assert pixels.shape == (34, 34, 4) == (picture.height, picture.width, 4)
    assert np.array_equal(pixels[18:, :16, :3], faces[1, 0])
    assert pixels[16:18, :, 3].max() == 0
    assert pixels[:16, :16, 3].min() == 255


def test_a_mosaic_stays_within_the_limit():
    faces = split_grid(image.grid(noise(64, 32)))
    side = side_within(faces, 60_000)
    assert 0.5 * 60_000 < len(mosaic(faces, side, side).png) < 1.05 * 60_000
    assert side_within(faces, 1) == 1
    assert side_within(faces, 1e9) == 8


def test_a_picture_is_halved_until_it_fits():
    picture = Image.fromarray(noise(1, 256)[0])
    small = shrink_to_fit(picture, 60_000)
    assert small.width == 128 and len(small.png) <= 60_000
    assert shrink_to_fit(picture, 10**6).width == 256


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_an_incomplete_picture_is_named(tmp_path: Path, cut: int):
    path = tmp_path / "epoch=0001.png"
    image.grid(noise(4, 16)).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"epoch=0001.png is damaged"):
        read_sheet(path)
