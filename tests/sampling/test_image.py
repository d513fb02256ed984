"""Tests of the conversions between images and pixels, grids and animations."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from anime_dcgan.sampling import image


def test_every_pixel_value_survives_a_round_trip():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    images = image.to_float(pixels)
    assert images.shape == (1, 3, 16, 16)
    assert images.min() == -1
    assert images.max() == 1
    np.testing.assert_array_equal(image.to_uint8(images), pixels.numpy())


def test_batches_from_the_cache_arrive_channels_last():
    pixels = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    assert image.to_float(pixels).is_contiguous(memory_format=torch.channels_last)


def test_values_are_clipped_to_the_range_and_rounded_to_nearest():
    values = torch.tensor([-3.0, 3.0, 0.999, 0.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert image.to_uint8(values)[0, :, :, 0].tolist() == [[0, 255], [255, 128]]


def test_grid_places_the_faces_row_by_row():
    faces = np.zeros((5, 8, 8, 3), np.uint8)
    faces[4] = 200
    sheet = np.asarray(image.grid(faces))  # 3 columns, 2 rows
    assert sheet.shape == (2 * 10 + 2, 3 * 10 + 2, 3)
    assert (sheet[12:20, 12:20] == 200).all()
    assert (sheet[12:20, 22:30] == 255).all()  # no sixth face
    assert image.grid(faces, columns=5).size == (5 * 10 + 2, 12)
    enlarged = np.asarray(image.grid(faces, scale=3))
    assert enlarged.shape == (2 * 26 + 2, 3 * 26 + 2, 3)
    assert (enlarged[28:52, 28:52] == 200).all()


def test_a_gif_loops_over_all_frames(tmp_path: Path):
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 120, 250)]
    image.write_gif(frames, tmp_path / "a.gif", frames_per_second=10)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 3  # type: ignore[attr-defined]
        assert animation.info["loop"] == 0
        assert animation.info["duration"] == 100
