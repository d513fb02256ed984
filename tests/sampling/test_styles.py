"""Faces of generators with a style space and noise: seeds, truncation, films."""

import numpy as np
import pytest
import torch
from torch import Tensor

from anime_dcgan.model import dcgan
from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.film import film
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.mixing import mixing_sheet
from anime_dcgan.sampling.sample import faces, sample_images
from anime_dcgan.system.errors import UserError

MEAN = 0.25
SIDE = 8


class Styled(Generator):
    """Generator of images that are the mean of two styles per channel, plus noise."""

    noise_dim = SIDE * SIDE

    def __init__(self) -> None:
        super().__init__(latent_dim=3)
        self.gain = torch.nn.Parameter(torch.tensor(0.3))

    def styles(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return (MEAN + self.gain * torch.tanh(latents)).unsqueeze(1).expand(-1, 2, -1)

    def synthesise(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        if noise is None:
            noise = self.fixed_noise().expand(len(styles), -1)
        return styles.mean(1)[:, :, None, None] + 0.1 * noise.view(-1, 1, SIDE, SIDE)

    def truncate(self, styles: Tensor, truncation: float, labels: Tensor | None = None) -> Tensor:
        return torch.lerp(torch.full_like(styles, MEAN), styles, truncation)


def as_pixels(images: Tensor) -> np.ndarray:
    return (127.5 * (images + 1)).round().clamp(0, 255).permute(0, 2, 3, 1).byte().numpy()


def test_the_face_of_a_seed_has_its_own_noise_whatever_the_other_seeds_are():
    generator = Styled()
    together = list(faces(generator, range(40)))
    (alone,) = faces(generator, [33])
    np.testing.assert_array_equal(alone, together[33])
    with torch.no_grad():
        latents = latents_of_seeds([33], 3)
        expected = generator(latents, noise_of_seeds([33], generator))
    np.testing.assert_array_equal(alone, as_pixels(expected)[0])
    noise = noise_of_seeds(range(64), generator)
    latents = latents_of_seeds(range(64), 3)
    assert abs(float(torch.corrcoef(torch.cat([latents, noise[:, :3]], 1).T)[:3, 3:].max())) < 0.5
    assert 0.95 < float(noise.std()) < 1.05


def test_truncation_moves_styles_towards_their_mean():
    generator = Styled()
    (mean,) = sample_images(generator, torch.randn(1, 3), truncation=0.0)
    expected = as_pixels(MEAN + 0.1 * generator.fixed_noise().view(1, 1, SIDE, SIDE))[0]
    np.testing.assert_array_equal(mean, np.broadcast_to(expected, mean.shape))
    half, full = (sample_images(generator, torch.ones(1, 3), truncation=t) for t in (0.5, 1.0))
    difference = (full.astype(float) - half).mean()
    assert abs(difference - 127.5 * 0.5 * 0.3 * np.tanh(1)) < 1


def test_truncating_a_plain_generator_scales_its_latents():
    generator = dcgan.Generator(latent_dim=4, width=4, image_size=8)
    latents = torch.randn(3, 4)
    truncated = sample_images(generator, latents, truncation=0.5)
    np.testing.assert_array_equal(truncated, sample_images(generator, 0.5 * latents))


def test_a_film_starts_at_the_face_of_its_first_seed():
    generator = Styled()
    frames = list(film(generator, [5, 9], 4))
    first, second = faces(generator, [5, 9])
    assert np.abs(frames[0].astype(int) - first).max() <= 1  # slerp rounds
    assert np.abs(frames[4].astype(int) - second).max() <= 1


def test_images_without_a_seed_have_fixed_noise_that_varies_from_row_to_row():
    generator = Styled()
    latents = torch.zeros(5, 3)
    together = sample_images(generator, latents, batch_size=2)
    np.testing.assert_array_equal(together, sample_images(generator, latents, batch_size=5))
    np.testing.assert_array_equal(together[0], sample_images(generator, latents[:1])[0])
    assert len(np.unique(together.reshape(5, -1), axis=0)) == 5


def test_a_film_in_style_space_moves_on_straight_lines():
    generator = Styled()
    frames = list(film(generator, [5, 9], 2, in_style_space=True))
    with torch.no_grad():
        styles = generator.styles(latents_of_seeds([5, 9], 3)).mean(0, keepdim=True)
    middle = 127.5 * (styles.mean(1).numpy() + 1)
    noise = noise_of_seeds([5, 9], generator)
    spread = frames[1].mean((0, 1)) - middle
    assert np.abs(spread).max() < 127.5 * 0.1 * float(noise.abs().mean())


def test_a_mixing_sheet_has_the_styles_of_the_source_in_the_chosen_layers():
    generator = Styled()
    sheet = mixing_sheet(generator, [1, 2], [7, 8, 9], range(1, 2)).reshape(3, 4, SIDE, SIDE, 3)
    assert (sheet[0, 0] == 255).all()
    np.testing.assert_array_equal(sheet[0, 1:], np.stack(list(faces(generator, [7, 8, 9]))))
    np.testing.assert_array_equal(sheet[1:, 0], np.stack(list(faces(generator, [1, 2]))))
    with torch.no_grad():
        styles = generator.styles(latents_of_seeds([2, 9], 3))
        mixed = torch.stack([styles[0, 0], styles[1, 1]])[None]
        child = generator.synthesise(mixed, noise_of_seeds([2], generator))
    np.testing.assert_array_equal(sheet[2, 3], as_pixels(child)[0])


@pytest.mark.parametrize(
    ("generator", "layers", "message"),
    [
        (Styled(), range(1, 5), "has the style layers 0-1"),
        (dcgan.Generator(4, 4, 8), None, "model=stylegan2 or model=biggan"),
    ],
)
def test_layers_that_do_not_exist_are_refused(
    generator: Generator, layers: range | None, message: str
):
    with pytest.raises(UserError, match=message):
        mixing_sheet(generator, [1], [2], layers)
