"""What every metric has in common."""

from collections.abc import Iterable
from typing import ClassVar

import torch
from jaxtyping import UInt8
from torch import Tensor

Description = dict[str, Tensor]
"""What a metric keeps of a set of images. `features`, (n, d) float32, a row for each image, is
always there; the rest is the metric's own."""

Images = UInt8[Tensor, "_ h w 3"]


class Metric:
    """Describes sets of images once, and holds the descriptions against each other."""

    name: str
    """As in `metric=name`; distances are called `name/...`."""

    headline: str
    """The distance that chooses the best epoch and that the verdict is founded on."""

    fewest: ClassVar[int] = 10
    """Images that a set must have at least."""

    def settings(self) -> dict[str, str | int | float]:
        """Everything that the numbers depend on, as plain values."""
        raise NotImplementedError

    def describe(self, batches: Iterable[Images], device: torch.device) -> Description:
        """What is compared of the images of one set."""
        raise NotImplementedError

    def features(self, batches: Iterable[Images], device: torch.device) -> Tensor:
        """Only the features, (n, d) float32: what neighbours are looked for in."""
        raise NotImplementedError

    def distances(self, real: Description, other: Description) -> dict[str, float]:
        """Distances of two sets of the same size, by name; lower is nearer."""
        raise NotImplementedError
