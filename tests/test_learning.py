"""Test that a small training brings samples measurably closer to the data."""

from pathlib import Path

import numpy as np

from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.sampling.latent import latents_of_seeds
from anime_dcgan.sampling.sample import sample_images
from tests.conftest import Train


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the sliced Wasserstein distance of raw pixels: sorted projections on random axes."""
    directions = np.random.default_rng(0).standard_normal((one[0].size, 64))
    directions /= np.linalg.norm(directions, axis=0)
    projected = [np.sort(x.reshape(len(x), -1) @ directions, axis=0) for x in (one, other)]
    return float(np.abs(projected[0] - projected[1]).mean())


def test_training_brings_samples_closer_to_the_data(train: Train, cache_dir: Path):
    settings = (
        *("data.count=600", "data.batch_size=16", "model.width=16", "trainer.max_epochs=24"),
        *("callbacks=none", "gan.ema_halflife_kimg=1", "optimizer.lr=5e-4", "model.latent_dim=32"),
    )
    module = train(*settings, model="radford")
    pixels = open_cache(DrawnFaces(600), 16, cache_dir).images
    faces = pixels.transpose(0, 3, 1, 2) / 127.5 - 1
    latents = latents_of_seeds(range(300), 32)
    samples = sample_images(module.generator_ema, latents).transpose(0, 3, 1, 2) / 127.5 - 1
    noise = np.random.default_rng(0).uniform(-1, 1, samples.shape)
    mean_face = np.repeat(faces.mean(0, keepdims=True), 300, axis=0)
    reached = distance(samples, faces[:300])
    print(
        f"noise {distance(noise, faces[:300]):.3f}, the mean face "
        f"{distance(mean_face, faces[:300]):.3f}, samples {reached:.3f}, "
        f"other faces {distance(faces[300:], faces[:300]):.3f}"
    )
    assert reached < distance(noise, faces[:300]) / 2
    assert reached < distance(mean_face, faces[:300]) / 2
