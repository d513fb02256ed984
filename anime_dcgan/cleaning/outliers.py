"""How unlike the others a face is: what is no face at all stands out.

Faces are described by where their edges run, how much detail there is at each scale, and coarse
luminance and colour; probabilistic principal components (Tipping and Bishop 1999, Journal of the
Royal Statistical Society B 61) are fitted to a sample of the set, and a face is as odd as it is
unlikely under them. Nothing needs to be trained or downloaded, and the cost of a face does not
depend on how many there are.
"""

from dataclasses import dataclass

import numpy as np

from anime_dcgan.cleaning.image_stats import SIDE, luminance, shrink

DIRECTIONS = 8
CELL = 8  # px
COMPONENTS = 128
FACES_PER_COMPONENT = 20
"""A model of more components learns its sample by heart, and all other faces look odd to it."""
BLOCK = 256  # faces that are described at a time
USUAL = 0.8
"""Share of the sample that the model is fitted to: the rest may be junk, which is in every set."""
STEPS = 4
FARTHEST = 5.0
"""Deviations beyond which a single feature counts no more at the start."""


def features(faces: np.ndarray) -> np.ndarray:
    """float32 (n, d) from uint8 (n, SIDE, SIDE, 3)."""
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
class Usual:
    """What the faces of a set have in common."""

    mean: np.ndarray
    """(d,)"""
    components: np.ndarray
    """(k, d), each over its standard deviation"""
    basis: np.ndarray
    """(k, d), orthonormal"""
    rest: float
    """mean variance along every other direction"""
    centre: float
    """median of the logarithm of the distance"""
    spread: float
    """its deviation: 1.4826 times the median distance from the median"""

    def oddness(self, faces: np.ndarray) -> np.ndarray:
        """Deviations above the usual, float32 (n,): about 0 for a usual face."""
        logs = np.log(_distance(features(faces), *self._model))
        return ((logs - self.centre) / self.spread).astype(np.float32)

    @property
    def _model(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        return self.mean, self.components, self.basis, self.rest


def fit_usual(faces: np.ndarray) -> Usual:
    """From a sample, uint8 (n, SIDE, SIDE, 3), of at least one face.

    Begins with the half that is nearest to the medians, and fits the model to the `USUAL` share
    that is likeliest under it, several times: the concentration steps of Rousseeuw and Van
    Driessen 1999, "A fast algorithm for the minimum covariance determinant estimator". So junk
    that is alike, even a tenth of the set, does not become usual.
    """
    blocks = range(0, len(faces), BLOCK)
    rows = np.concatenate([features(faces[start : start + BLOCK]) for start in blocks])
    model = _components(_middle(rows))
    for _ in range(STEPS):
        apart = _distance(rows, *model)
        model = _components(rows[apart <= np.quantile(apart, USUAL)])
    logs = np.log(_distance(rows, *model))
    centre = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - centre)))
    return Usual(*model, centre, max(spread, 1e-3))


def _middle(rows: np.ndarray) -> np.ndarray:
    """The half of the rows that is nearest to the medians of all features."""
    medians = np.median(rows, axis=0)
    deviations = np.median(np.abs(rows - medians), axis=0) + 1e-3
    apart = np.minimum(np.abs(rows - medians) / deviations, FARTHEST)
    apart = np.square(apart).mean(1)
    return rows[apart <= np.median(apart)]


def _components(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Mean, directions over their deviation, directions, and the variance of the rest."""
    mean = rows.mean(0)
    centred = rows - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / max(len(rows) - 1, 1))
    variances, directions = variances[::-1], directions.T[::-1]
    count = min(COMPONENTS, len(rows) // FACES_PER_COMPONENT + 1)
    rest = float(variances[count:].sum() / (rows.shape[1] - count))
    rest = max(rest, 1e-7)
    deviations = np.sqrt(np.maximum(variances[:count], rest))
    basis = directions[:count]
    return mean, basis / deviations[:, None], basis, rest


def _distance(
    rows: np.ndarray, mean: np.ndarray, components: np.ndarray, basis: np.ndarray, rest: float
) -> np.ndarray:
    """Squared Mahalanobis distance under the model."""
    centred = rows - mean
    along = np.square(centred @ components.T).sum(1)
    beyond = np.square(centred).sum(1) - np.square(centred @ basis.T).sum(1)
    return along + np.maximum(beyond, 0) / rest + 1e-6


def _edges(light: np.ndarray) -> np.ndarray:
    """Square roots of the shares of gradient by cell and direction: (n, cells^2 * DIRECTIONS).

    Histograms of oriented gradients (Dalal and Triggs 2005), directions without sign, normalised
    over the whole picture.
    """
    down, right = np.gradient(light, axis=(1, 2))
    strength = np.hypot(down, right)
    turn = np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS
    lower = np.floor(turn)
    share = turn - lower
    across = light.shape[1] // CELL
    cells = np.arange(light.shape[1]) // CELL
    cell = (cells[:, None] * across + cells) + np.arange(len(light))[:, None, None] * across**2
    bins = len(light) * across**2 * DIRECTIONS
    first = cell * DIRECTIONS + lower.astype(np.int64) % DIRECTIONS
    second = cell * DIRECTIONS + (lower.astype(np.int64) + 1) % DIRECTIONS
    sums = np.bincount(first.ravel(), (strength * (1 - share)).ravel(), bins)
    sums += np.bincount(second.ravel(), (strength * share).ravel(), bins)
    sums = sums.reshape(len(light), -1)
    return np.sqrt(sums / (sums.sum(1, keepdims=True) + 1e-3))


def _energy(light: np.ndarray) -> np.ndarray:
    """Logarithm of the mean gradient in each of 4x4 fields, at three scales."""
    found = []
    for factor in (1, 2, 4):
        plane = shrink(light, factor)
        across = np.abs(np.diff(plane, axis=2))[:, :-1] + np.abs(np.diff(plane, axis=1))[:, :, :-1]
        side = across.shape[1] // 4 * 4
        fields = shrink(across[:, :side, :side], side // 4)
        found.append(np.log1p(fields).reshape(len(light), -1))
    return np.concatenate(found, axis=1)


def _shape(light: np.ndarray) -> np.ndarray:
    """Luminance of 16x16 px without its mean, of length 1."""
    planes = shrink(light, SIDE // 16).reshape(len(light), -1)
    planes = planes - planes.mean(1, keepdims=True)
    return planes / np.maximum(np.linalg.norm(planes, axis=1, keepdims=True), 1e-6)
