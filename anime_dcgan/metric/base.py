"""The interface of all metrics."""

from collections.abc import Iterable
from typing import ClassVar

import torch
from jaxtyping import UInt8
from torch import Tensor

Description = dict[str, Tensor]
"""Statistics of a set of images that a metric compares. `features`, (n, d) float32 with one row per
image, is always present; other entries depend on the metric."""

Images = UInt8[Tensor, "_ h w 3"]


class Metric:
    """A metric describes each set of images once, and compares the descriptions."""

    name: str
    """Name as in `metric=name`, and prefix of the distances: `name/...`."""

    headline: str
    """The distance that selects the best epoch and that the verdict is based on."""

    min_images: ClassVar[int] = 10
    """Minimum number of images in a set."""

    def settings(self) -> dict[str, str | int | float]:
        """Return all settings that the values depend on, as plain values."""
        raise NotImplementedError

    def describe(self, batches: Iterable[Images], device: torch.device) -> Description:
        """Return the description of one set of images."""
        raise NotImplementedError

    def features(self, batches: Iterable[Images], device: torch.device) -> Tensor:
        """Return the features only, (n, d) float32, in which nearest neighbours are searched."""
        raise NotImplementedError

    def distances(self, real: Description, other: Description) -> dict[str, float]:
        """Return the distances between two sets of the same size, by name; lower is better."""
        raise NotImplementedError
