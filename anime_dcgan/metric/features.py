"""Frechet and kernel distances between features of images.

`metric=fd` uses torchvision's MobileNetV2, which is cheap enough for a CPU, and
`metric=fd_efficientnet` EfficientNet-Lite0, which needs no download; the values of each are only
comparable with each other and are never called FID. `metric=pixels` compares reduced images
themselves, without a network. `metric=fid` uses the Inception network that
FID and KID are defined on.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.metric.base import Description, Images, Metric
from anime_dcgan.metric.extractor import Extractor


class FeatureDistance(Metric):
    """Frechet distance, and 1,000 times the kernel distance with its standard error.

    Parameters:
        frechet, kernel: names of the two distances.
    """

    def __init__(
        self,
        extractor: Extractor,
        name: str = "fd",
        frechet: str = "fd/frechet",
        kernel: str = "fd/kernel",
    ) -> None:
        self.extractor = extractor
        self.name = name
        self.frechet = frechet
        self.kernel = kernel
        self.headline = frechet

    def settings(self) -> dict[str, str | int | float]:
        return {"name": self.name, **self.extractor.settings()}

    def describe(self, batches: Iterable[Images], device: torch.device) -> Description:
        return {"features": self.features(batches, device)}

    def features(self, batches: Iterable[Images], device: torch.device) -> Tensor:
        self.extractor.to(device)
        return torch.cat([self.extractor(batch.to(device)).float() for batch in batches])

    def distances(self, real: Description, other: Description) -> dict[str, float]:
        kernel = kernel_distance(real["features"], other["features"])
        return {
            self.frechet: frechet_distance(real["features"], other["features"]),
            self.kernel: 1000 * kernel.value,
            f"{self.kernel}_error": 1000 * kernel.standard_error,
        }


def frechet_distance(one: Float[Tensor, "n d"], other: Float[Tensor, "m d"]) -> float:
    """Return the squared Wasserstein-2 distance of Gaussians fitted to both sets of features.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (arXiv 1706.08500, eq. 6), in float64. The trace of
    the root is the sum of the singular values of A1 A2', where C = A'A / (n - 1) with the centred
    features A; this is exact for any number of images.
    """
    first, second = _centred(one), _centred(other)
    shift = (one.double().mean(0) - other.double().mean(0)).square().sum()
    traces = first.square().sum() + second.square().sum()
    root = torch.linalg.svdvals(_reduced(first) @ _reduced(second).T).sum()
    return float(shift + traces - 2 * root)


class KernelDistance(NamedTuple):
    """An unbiased estimate, which may be negative, and its standard error."""

    value: float
    standard_error: float


def kernel_distance(one: Float[Tensor, "n d"], other: Float[Tensor, "n d"]) -> KernelDistance:
    """Return the squared maximum mean discrepancy with KID's kernel, arXiv 1801.01401, section 4.

    k(x, y) = (x.y / d + 1)^3; the estimate is eq. 3 of Gretton et al. 2012 (JMLR 13), and the
    standard error comes from the variance of its terms over images (their Lemma 6 and Theorem 8).
    """
    count = len(one)
    within_one, within_other = (_kernel(x, x).fill_diagonal_(0) for x in (one, other))
    across = _kernel(one, other)
    value = (within_one.sum() + within_other.sum()) / (count * (count - 1)) - 2 * across.mean()
    terms = (within_one.sum(1) + within_other.sum(1)) / (count - 1)
    terms -= across.mean(0) + across.mean(1)
    return KernelDistance(float(value), float(2 * terms.std() / count**0.5))


def _kernel(one: Float[Tensor, "n d"], other: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    return (one.double() @ other.double().T / one.shape[1] + 1) ** 3


def _centred(features: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    features = features.double()
    return (features - features.mean(0)) / (len(features) - 1) ** 0.5


def _reduced(features: Float[Tensor, "n d"]) -> Float[Tensor, "r d"]:
    """Return fewer rows with the same covariance: the triangular factor of a QR decomposition."""
    return torch.linalg.qr(features, mode="r").R if len(features) > features.shape[1] else features
