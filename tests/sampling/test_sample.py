"""Drawing: the same seed is the same face, bit by bit."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anime_dcgan.model import dcgan, radford
from anime_dcgan.sampling import sample
from anime_dcgan.sampling.latent import latent_of_seed


@pytest.fixture(params=[dcgan, radford])
def generator(request):
    torch.manual_seed(0)
    return request.param.Generator(latent_dim=20, width=16, image_size=32).eval()


def test_a_seed_is_the_same_face_whatever_is_drawn_beside_it(generator):
    many = dict(zip(range(40), sample.faces(generator, range(40)), strict=True))
    for seeds in ([17], [39, 3, 17], range(5, 23), [17, 17]):
        for seed, face in zip(seeds, sample.faces(generator, seeds), strict=True):
            np.testing.assert_array_equal(face, many[seed])
    assert not np.array_equal(many[0], many[16])


def test_a_face_is_what_the_generator_makes_of_the_latent_of_its_seed(generator):
    (face,) = sample.faces(generator, [21])
    with torch.no_grad():
        expected = generator(latent_of_seed(21, 20)[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(face / 127.5 - 1 - expected).max() <= 0.51 / 127.5


def test_a_film_passes_through_the_faces_and_closes(generator):
    frames = list(sample.film(generator, [3, 8, 5], frames_per_face=4))
    assert len(frames) == 12
    for corner, seed in ((0, 3), (4, 8), (8, 5)):
        (face,) = sample.faces(generator, [seed])
        difference = frames[corner].astype(int) - face
        assert np.abs(difference).max() <= 1
    assert not np.array_equal(frames[0], frames[1])


def test_folders_and_zips_hold_the_same_faces(generator, tmp_path: Path):
    names = ["a.png", "b.png"]
    sample.write_folder(sample.faces(generator, [1, 2]), names, tmp_path / "folder")
    sample.write_zip(sample.faces(generator, [1, 2]), names, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == names
        for name in names:
            assert archive.read(name) == (tmp_path / "folder" / name).read_bytes()
    with Image.open(tmp_path / "folder/b.png") as picture:
        (face,) = sample.faces(generator, [2])
        np.testing.assert_array_equal(np.asarray(picture), face)


def test_more_faces_than_are_packed_together_keep_their_order(tmp_path: Path):
    pictures = [np.full((8, 8, 3), number, np.uint8) for number in range(150)]
    sample.write_zip(iter(pictures), (f"{number}.png" for number in range(150)), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        for number, picture in enumerate(pictures):
            found = Image.open(archive.open(f"{number}.png"))
            np.testing.assert_array_equal(np.asarray(found), picture)


def test_films_as_gif_and_as_mp4(generator, tmp_path: Path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    for name in ("a.gif", "a.mp4"):
        sample.write_film(sample.film(generator, [1, 2], 5), tmp_path / name, 20)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 10  # type: ignore[attr-defined]
        assert animation.size == (32, 32)
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert (frames, seconds) == (10, pytest.approx(0.5, abs=0.1))
