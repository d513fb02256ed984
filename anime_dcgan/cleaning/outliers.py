"""Outlier scores: how much an image differs from the set; images without a face stand out.

Features are histograms of edge directions, the detail at each scale, and coarse luminance and
colour. Probabilistic principal component analysis (Tipping and Bishop 1999, Journal of the Royal
Statistical Society B 61) is fitted to a sample of the set, and the score of a face is its
Mahalanobis distance under that model, standardised. There is no network to train or download, and
the cost per face does not depend on the size of the set.
"""

from dataclasses import dataclass

import numpy as np

from anime_dcgan.cleaning.image_stats import SIDE, luminance, shrink

DIRECTIONS = 8
CELL = 8  # px
COMPONENTS = 128
FACES_PER_COMPONENT = 20
"""Minimum faces per component; with more components the model overfits its sample."""
BLOCK = 256  # faces whose features are computed at a time
INLIER_FRACTION = 0.8
"""Fraction of the sample that the model is fitted to, as the rest may be junk."""
CONCENTRATION_STEPS = 4
MAX_DEVIATION = 5.0
"""A single feature's deviation is clipped here when the initial half is chosen."""


def features(faces: np.ndarray) -> np.ndarray:
    """Return the features, float32 (n, d), of faces, uint8 (n, SIDE, SIDE, 3)."""
    light = luminance(faces)
    rows = np.concatenate(
        [
            _edges(light),
            0.1 * _energy(light),
            0.5 * _shape(light),
            shrink(faces, SIDE // 8).reshape(len(faces), -1) / (4 * 255),
        ],
        axis=1,
    )
    return rows.astype(np.float32)


@dataclass(frozen=True, eq=False)
class OutlierModel:
    """The distribution of the faces of a set."""

    mean: np.ndarray
    """(d,)"""
    components: np.ndarray
    """(k, d), each divided by its standard deviation"""
    basis: np.ndarray
    """(k, d), orthonormal"""
    residual: float
    """mean variance along all other directions"""
    centre: float
    """median of the log distances"""
    spread: float
    """its deviation: 1.4826 times the median absolute deviation"""

    def scores(self, faces: np.ndarray) -> np.ndarray:
        """Return robust standard scores, float32 (n,): about 0 for a typical face."""
        logs = np.log(_distance(features(faces), *self._model))
        return ((logs - self.centre) / self.spread).astype(np.float32)

    @property
    def _model(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        return self.mean, self.components, self.basis, self.residual


def fit_outlier_model(faces: np.ndarray) -> OutlierModel:
    """Fit the model to a sample, uint8 (n, SIDE, SIDE, 3), of at least one face.

    The fit starts from the half that is nearest to the medians, then repeatedly refits to the
    `INLIER_FRACTION` that is likeliest under the model: the concentration steps of Rousseeuw and
    Van Driessen 1999, "A fast algorithm for the minimum covariance determinant estimator". As
    a result, similar junk does not count as typical even if it makes up a tenth of the sample.
    """
    blocks = range(0, len(faces), BLOCK)
    rows = np.concatenate([features(faces[start : start + BLOCK]) for start in blocks])
    model = _components(_central_half(rows))
    for _ in range(CONCENTRATION_STEPS):
        distances = _distance(rows, *model)
        model = _components(rows[distances <= np.quantile(distances, INLIER_FRACTION)])
    logs = np.log(_distance(rows, *model))
    centre = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - centre)))
    return OutlierModel(*model, centre, max(spread, 1e-3))


def _central_half(rows: np.ndarray) -> np.ndarray:
    """Return the half of the rows that is nearest to the medians of all features."""
    medians = np.median(rows, axis=0)
    deviations = np.median(np.abs(rows - medians), axis=0) + 1e-3
    clipped = np.minimum(np.abs(rows - medians) / deviations, MAX_DEVIATION)
    distances = np.square(clipped).mean(1)
    return rows[distances <= np.median(distances)]


def _components(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return mean, scaled directions, directions, and residual variance (see `OutlierModel`)."""
    mean = rows.mean(0)
    centred = rows - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / max(len(rows) - 1, 1))
    variances, directions = variances[::-1], directions.T[::-1]
    count = min(COMPONENTS, len(rows) // FACES_PER_COMPONENT + 1)
    residual = float(variances[count:].sum() / (rows.shape[1] - count))
    residual = max(residual, 1e-7)
    deviations = np.sqrt(np.maximum(variances[:count], residual))
    basis = directions[:count]
    return mean, basis / deviations[:, None], basis, residual


def _distance(
    rows: np.ndarray, mean: np.ndarray, components: np.ndarray, basis: np.ndarray, residual: float
) -> np.ndarray:
    """Return squared Mahalanobis distances under the model."""
    centred = rows - mean
    inside = np.square(centred @ components.T).sum(1)
    outside = np.square(centred).sum(1) - np.square(centred @ basis.T).sum(1)
    return inside + np.maximum(outside, 0) / residual + 1e-6


def _edges(light: np.ndarray) -> np.ndarray:
    """Return histograms of oriented gradients (Dalal and Triggs 2005): (n, cells^2 * DIRECTIONS).

    Directions are unsigned; the histograms are normalised over the whole image, then their square
    roots are taken.
    """
    down, right = np.gradient(light, axis=(1, 2))
    strength = np.hypot(down, right)
    direction = np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS
    lower = np.floor(direction)
    fraction = direction - lower
    across = light.shape[1] // CELL
    cells = np.arange(light.shape[1]) // CELL
    cell = (cells[:, None] * across + cells) + np.arange(len(light))[:, None, None] * across**2
    bins = len(light) * across**2 * DIRECTIONS
    first = cell * DIRECTIONS + lower.astype(np.int64) % DIRECTIONS
    second = cell * DIRECTIONS + (lower.astype(np.int64) + 1) % DIRECTIONS
    sums = np.bincount(first.ravel(), (strength * (1 - fraction)).ravel(), bins)
    sums += np.bincount(second.ravel(), (strength * fraction).ravel(), bins)
    sums = sums.reshape(len(light), -1)
    return np.sqrt(sums / (sums.sum(1, keepdims=True) + 1e-3))


def _energy(light: np.ndarray) -> np.ndarray:
    """Return the log mean gradient in each of 4x4 cells, at three scales."""
    found = []
    for factor in (1, 2, 4):
        plane = shrink(light, factor)
        across = np.abs(np.diff(plane, axis=2))[:, :-1] + np.abs(np.diff(plane, axis=1))[:, :, :-1]
        side = across.shape[1] // 4 * 4
        means = shrink(across[:, :side, :side], side // 4)
        found.append(np.log1p(means).reshape(len(light), -1))
    return np.concatenate(found, axis=1)


def _shape(light: np.ndarray) -> np.ndarray:
    """Return the luminance at 16x16 px, centred and normalised to unit length."""
    planes = shrink(light, SIDE // 16).reshape(len(light), -1)
    planes = planes - planes.mean(1, keepdims=True)
    return planes / np.maximum(np.linalg.norm(planes, axis=1, keepdims=True), 1e-6)
