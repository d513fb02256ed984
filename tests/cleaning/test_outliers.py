"""Outlier scores: images without a face stand out, even many of them, and faces do not."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.cleaning import outliers
from anime_dcgan.cleaning.image_stats import SIDE
from anime_dcgan.cleaning.judgement import Thresholds
from anime_dcgan.cleaning.outliers import OutlierModel, features, fit_outlier_model

THRESHOLD = Thresholds().outlier
assert THRESHOLD is not None
JUNK = 50
"""Images of each kind."""


def noise(generator: np.random.Generator) -> np.ndarray:
    return generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def stripes(generator: np.random.Generator) -> np.ndarray:
    """Return waves from one colour to another."""
    down, across = np.mgrid[:SIDE, :SIDE] / SIDE
    slope, phase = generator.uniform(-6, 6), generator.uniform(0, 2 * np.pi)
    waves = 2 * np.pi * (generator.uniform(1, 12) * down + slope * across) + phase
    fraction = (np.sin(waves) / 2 + 0.5)[..., None]
    one, other = generator.integers(0, 256, (2, 3))
    return (fraction * one + (1 - fraction) * other).astype(np.uint8)


def clouds(generator: np.random.Generator) -> np.ndarray:
    side = int(generator.integers(2, 12))
    coarse = generator.integers(0, 256, (side, side, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


Kind = Callable[[np.random.Generator], np.ndarray]
KINDS = (noise, stripes, clouds)


def junk(kind: Kind, count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.stack([kind(generator) for _ in range(count)])


@pytest.fixture(scope="module")
def model(faces: np.ndarray) -> OutlierModel:
    """The model of three quarters of the faces."""
    return fit_outlier_model(faces[np.arange(len(faces)) % 4 > 0])


@pytest.mark.parametrize("kind", KINDS)
def test_images_without_a_face_are_outliers(model: OutlierModel, kind: Kind):
    assert (model.scores(junk(kind, JUNK)) > THRESHOLD).mean() >= 0.95


def test_few_faces_are_outliers_in_the_sample_or_outside_it(model: OutlierModel, faces: np.ndarray):
    outlier_score = model.scores(faces)
    assert (outlier_score.shape, outlier_score.dtype) == ((len(faces),), np.float32)
    in_sample = np.arange(len(faces)) % 4 > 0
    for rows in (in_sample, ~in_sample):
        assert (outlier_score[rows] > THRESHOLD).mean() <= 0.02
        assert abs(np.median(outlier_score[rows])) < 1


def test_few_faces_of_a_small_set_are_outliers(faces: np.ndarray):
    assert (fit_outlier_model(faces[:100]).scores(faces) > THRESHOLD).mean() <= 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_junk_is_an_outlier_even_at_a_tenth_of_the_set(faces: np.ndarray, kind: Kind):
    planted = junk(kind, len(faces) // 9)
    model = fit_outlier_model(np.concatenate([planted, faces]))
    assert (model.scores(planted) > THRESHOLD).mean() >= 0.95
    assert (model.scores(faces) > THRESHOLD).mean() <= 0.02


@pytest.mark.parametrize("few", [[0], [0, 1], [0, 0, 0], [0, 1, 2, 3, 4]])
def test_a_few_faces_give_finite_scores(
    faces: np.ndarray, few: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        outliers, "CONCENTRATION_STEPS", 1
    )  # a step takes as long as with many faces
    model = fit_outlier_model(faces[few])
    assert np.isfinite(model.scores(faces[:20])).all()
    assert np.isfinite(model.scores(np.zeros_like(faces[:1]))).all()
    assert model.scores(junk(noise, 5)).min() > np.median(model.scores(faces[few]))
    if len(set(few)) == 1:
        assert model.scores(faces[few]).max() <= THRESHOLD < model.scores(junk(noise, 5)).min()


def test_features_do_not_depend_on_the_batch(faces: np.ndarray):
    some = np.concatenate([faces[:10], np.zeros_like(faces[:1]), junk(noise, 2)])
    together = features(some)
    assert (together.ndim, len(together), together.dtype) == (2, 13, np.float32)
    assert np.isfinite(together).all()
    alone = np.concatenate([features(one[None]) for one in some])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_scores_do_not_depend_on_the_batch(model: OutlierModel, faces: np.ndarray):
    alone = np.concatenate([model.scores(face[None]) for face in faces[:10]])
    np.testing.assert_allclose(model.scores(faces[:10]), alone, atol=1e-3)


def test_the_directions_are_orthonormal_and_limited_by_the_sample(
    model: OutlierModel, faces: np.ndarray
):
    many, width = model.basis.shape
    np.testing.assert_allclose(model.basis @ model.basis.T, np.eye(many), atol=1e-4)
    assert width == features(faces[:1]).shape[1]
    assert many <= len(faces) / 20
