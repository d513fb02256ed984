"""The check that a program of another runtime draws what this package draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.image import to_uint8
from anime_dcgan.sampling.sample import faces
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.sharing.network import SharedGenerator

FACES = 64
BATCH = 16
TRUNCATIONS = (1.0, 0.7)

Draw = Callable[[Mapping[str, Tensor]], Float[Tensor, "n 3 h w"]]


@dataclass(frozen=True)
class Difference:
    """Differences of faces from those of `generate`, in grey levels of 255."""

    maximum: int
    mean: float

    def __str__(self) -> str:
        return f"at most {self.maximum} of 255 grey levels, {self.mean:.2g} on average"


class Reference:
    """The first `FACES` faces of a generator, as `generate` draws them."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    @cached_property
    def faces(self) -> UInt8[np.ndarray, "n h w 3"]:
        """The faces without truncation."""
        return self._draw(1.0)

    def _draw(self, truncation: float) -> UInt8[np.ndarray, "n h w 3"]:
        standing = with_standing_statistics(self.generator, truncation)
        return np.stack(list(faces(standing, range(FACES), truncation)))

    def compare(self, network: SharedGenerator, draw: Draw) -> Difference:
        """Return how far the faces that `draw` makes of the network's inputs are from these."""
        found = []
        for truncation in TRUNCATIONS:
            expected = self.faces if truncation == 1 else self._draw(truncation)
            found.append(np.abs(_drawn(network, draw, truncation).astype(int) - expected))
        differences = np.concatenate(found)
        return Difference(int(differences.max()), float(differences.mean()))


@torch.no_grad()
def _drawn(network: SharedGenerator, draw: Draw, truncation: float) -> UInt8[np.ndarray, "n h w 3"]:
    blocks = [range(first, first + BATCH) for first in range(0, FACES, BATCH)]
    images = [draw(network.inputs_of_seeds(block, truncation)) for block in blocks]
    return to_uint8(2 * torch.cat(images) - 1)
