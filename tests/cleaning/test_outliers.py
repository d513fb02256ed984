"""Oddity: what is no face stands out among faces, also where it is not alone, and no face does."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.cleaning import outliers
from anime_dcgan.cleaning.image_stats import SIDE
from anime_dcgan.cleaning.judgement import Thresholds
from anime_dcgan.cleaning.outliers import Usual, features, fit_usual

ODD = Thresholds().odd
assert ODD is not None
JUNK = 50  # of each kind


def noise(generator: np.random.Generator) -> np.ndarray:
    return generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def stripes(generator: np.random.Generator) -> np.ndarray:
    """Waves from one colour to another."""
    down, across = np.mgrid[:SIDE, :SIDE] / SIDE
    slope, phase = generator.uniform(-6, 6), generator.uniform(0, 2 * np.pi)
    waves = 2 * np.pi * (generator.uniform(1, 12) * down + slope * across) + phase
    share = (np.sin(waves) / 2 + 0.5)[..., None]
    one, other = generator.integers(0, 256, (2, 3))
    return (share * one + (1 - share) * other).astype(np.uint8)


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
def usual(faces: np.ndarray) -> Usual:
    """Of three in four of the faces."""
    return fit_usual(faces[np.arange(len(faces)) % 4 > 0])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_face_stands_out(usual: Usual, kind: Kind):
    assert (usual.oddness(junk(kind, JUNK)) > ODD).mean() >= 0.95


def test_hardly_a_face_stands_out_whether_it_was_in_the_sample_or_not(
    usual: Usual, faces: np.ndarray
):
    oddness = usual.oddness(faces)
    assert (oddness.shape, oddness.dtype) == ((len(faces),), np.float32)
    in_sample = np.arange(len(faces)) % 4 > 0
    for those in (in_sample, ~in_sample):
        assert (oddness[those] > ODD).mean() <= 0.02
        assert abs(np.median(oddness[those])) < 1


def test_hardly_a_face_of_a_small_set_stands_out(faces: np.ndarray):
    assert (fit_usual(faces[:100]).oddness(faces) > ODD).mean() <= 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_junk_that_makes_up_a_tenth_of_the_set_stands_out(faces: np.ndarray, kind: Kind):
    planted = junk(kind, len(faces) // 9)
    usual = fit_usual(np.concatenate([planted, faces]))
    assert (usual.oddness(planted) > ODD).mean() >= 0.95
    assert (usual.oddness(faces) > ODD).mean() <= 0.02


@pytest.mark.parametrize("few", [[0], [0, 1], [0, 0, 0], [0, 1, 2, 3, 4]])
def test_a_few_faces_are_enough_for_numbers(
    faces: np.ndarray, few: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outliers, "STEPS", 1)  # it takes as long as for many
    usual = fit_usual(faces[few])
    assert np.isfinite(usual.oddness(faces[:20])).all()
    assert np.isfinite(usual.oddness(np.zeros_like(faces[:1]))).all()
    assert usual.oddness(junk(noise, 5)).min() > np.median(usual.oddness(faces[few]))
    if len(set(few)) == 1:
        assert usual.oddness(faces[few]).max() <= ODD < usual.oddness(junk(noise, 5)).min()


def test_features_do_not_depend_on_the_batch(faces: np.ndarray):
    some = np.concatenate([faces[:10], np.zeros_like(faces[:1]), junk(noise, 2)])
    together = features(some)
    assert (together.ndim, len(together), together.dtype) == (2, 13, np.float32)
    assert np.isfinite(together).all()
    alone = np.concatenate([features(one[None]) for one in some])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_oddness_does_not_depend_on_the_batch(usual: Usual, faces: np.ndarray):
    alone = np.concatenate([usual.oddness(face[None]) for face in faces[:10]])
    np.testing.assert_allclose(usual.oddness(faces[:10]), alone, atol=1e-3)


def test_the_directions_are_orthonormal_and_no_more_than_the_sample_can_tell(
    usual: Usual, faces: np.ndarray
):
    many, width = usual.basis.shape
    np.testing.assert_allclose(usual.basis @ usual.basis.T, np.eye(many), atol=1e-4)
    assert width == features(faces[:1]).shape[1]
    assert many <= len(faces) / 20
