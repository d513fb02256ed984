"""Tests of the sampler: the same seed gives the same face, bit by bit."""

import copy
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anime_dcgan.model import biggan, dcgan, radford
from anime_dcgan.model.base import Generator
from anime_dcgan.sampling import sample
from anime_dcgan.sampling.film import film, write_film
from anime_dcgan.sampling.latent import latent_of_seed, latents_of_seeds


@pytest.fixture(params=[dcgan, radford, biggan])
def generator(request):
    torch.manual_seed(0)
    return request.param.Generator(latent_dim=20, width=16, image_size=32).eval()


@pytest.mark.parametrize("training", [True, False])
def test_sampling_changes_neither_the_generator_nor_the_random_state(generator, training):
    generator.train(training)
    weights, random_state = copy.deepcopy(generator.state_dict()), torch.get_rng_state()
    images = sample.sample_images(generator, torch.randn(70, 20, generator=torch.Generator()))
    assert images.shape == (70, 32, 32, 3)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(module.training is training for module in generator.modules())
    assert all(torch.equal(weights[name], now) for name, now in generator.state_dict().items())


def test_a_generator_that_draws_random_numbers_leaves_the_random_state_alone(generator):
    generator.register_forward_pre_hook(lambda module, inputs: (inputs[0] + torch.randn(1),))
    random_state = torch.get_rng_state()
    sample.sample_images(generator, torch.zeros(2, 20))
    assert torch.equal(torch.get_rng_state(), random_state)


def test_images_are_sampled_in_batches(generator):
    sizes: list[int] = []
    generator.to_rgb.register_forward_hook(lambda module, inputs, images: sizes.append(len(images)))
    images = sample.sample_images(generator, latents_of_seeds(range(50), 20), batch_size=16)
    assert len(images) == 50
    assert sizes == [16, 16, 16, 2]


def test_a_seed_gives_the_same_face_whatever_the_other_seeds_are(generator):
    many = dict(zip(range(40), sample.faces(generator, range(40)), strict=True))
    for seeds in ([17], [39, 3, 17], range(5, 23), [17, 17]):
        for seed, face in zip(seeds, sample.faces(generator, seeds), strict=True):
            np.testing.assert_array_equal(face, many[seed])
    assert not np.array_equal(many[0], many[16])


def test_a_face_is_the_image_of_the_latent_of_its_seed(generator):
    (face,) = sample.faces(generator, [21])
    with torch.no_grad():
        expected = generator(latent_of_seed(21, 20)[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(face / 127.5 - 1 - expected).max() <= 0.51 / 127.5


def test_a_film_passes_through_the_faces_and_loops(generator):
    frames = list(film(generator, [3, 8, 5], frames_per_face=4))
    assert len(frames) == 12
    for frame, seed in ((0, 3), (4, 8), (8, 5)):
        (face,) = sample.faces(generator, [seed])
        difference = frames[frame].astype(int) - face
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


def test_faces_keep_their_order_across_batches_of_encoding(tmp_path: Path):
    pictures = [np.full((8, 8, 3), number, np.uint8) for number in range(150)]
    sample.write_zip(iter(pictures), (f"{number}.png" for number in range(150)), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        for number, picture in enumerate(pictures):
            found = Image.open(archive.open(f"{number}.png"))
            np.testing.assert_array_equal(np.asarray(found), picture)


def test_films_are_written_as_gif_and_as_mp4(generator, tmp_path: Path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    for name in ("a.gif", "a.mp4"):
        write_film(film(generator, [1, 2], 5), tmp_path / name, 20)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 10  # type: ignore[attr-defined]
        assert animation.size == (32, 32)
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "a.mp4"))
    assert (frames, seconds) == (10, pytest.approx(0.5, abs=0.1))


class Labelled(Generator):
    """Draw each of three classes in a colour of its own, and unknown labels in black."""

    def styles(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        assert labels is not None
        return labels.unsqueeze(1)

    def synthesise(self, styles: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        return 2 * styles[:, 0, :, None, None].expand(-1, -1, 2, 2) - 1


@pytest.mark.parametrize("known", [1.0, 0.5])
def test_images_without_seeds_have_labels_as_frequent_as_in_the_training(known: float):
    """Metrics draw labels this way, in batches of any size."""
    generator = Labelled(2, ["blue", "green", "red"])
    frequencies = torch.tensor([0.6, 0.3, 0.1])
    generator.label_frequencies.copy_(known * frequencies)
    latents = torch.zeros(1000, 2)
    pixels = sample.sample_images(generator, latents)
    assert np.array_equal(sample.sample_images(generator, latents, batch_size=7), pixels)
    drawn = torch.from_numpy(pixels[:, 0, 0]).float() / 255
    assert drawn.mean(0).tolist() == pytest.approx((known * frequencies).tolist(), abs=0.04)
    of_seeds = generator.labels_of_seeds(range(1000))
    assert of_seeds is not None
    assert of_seeds.mean(0).tolist() == pytest.approx(frequencies.tolist(), abs=0.04)
