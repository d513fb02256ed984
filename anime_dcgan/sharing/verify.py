"""The check that a program of another runtime draws what this package draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.image import to_uint8
from anime_dcgan.sampling.sample import faces
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.system.errors import UserError

FACES = 64
BATCH = 16
TRUNCATIONS = (1.0, 0.7)
MAX_GREY_LEVELS = {False: 1, True: 2}
"""Largest difference from the faces of `generate`, with weights of 32 and of 16 bits."""

Draw = Callable[[Mapping[str, Tensor]], Float[Tensor, "n 3 h w"]]


@dataclass(frozen=True)
class Difference:
    """Differences of faces from those of `generate`, in grey levels of 255."""

    maximum: int
    mean: float

    def check(self, format: str, is_half: bool) -> None:
        """Raise `UserError` if the faces of a program with such weights are others."""
        allowed = MAX_GREY_LEVELS[is_half]
        if self.maximum > allowed:
            fix = "half=false" if is_half else "another epoch=..."
            raise UserError(
                f"format={format} draws other faces (off by {self}; {allowed} allowed): use {fix}"
            )

    def __str__(self) -> str:
        return f"at most {self.maximum} of 255 grey levels, {self.mean:.2g} on average"


class Reference:
    """The first `FACES` faces of a generator, as `generate` draws them."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self._faces: dict[float, UInt8[np.ndarray, "n h w 3"]] = {}

    def faces(self, truncation: float = 1.0) -> UInt8[np.ndarray, "n h w 3"]:
        """Return the faces, which are drawn once."""
        if truncation not in self._faces:
            standing = with_standing_statistics(self.generator, truncation)
            drawn = list(faces(standing, range(FACES), truncation))
            self._faces[truncation] = np.stack(drawn)
        return self._faces[truncation]

    def compare(self, network: SharedGenerator, draw: Draw) -> Difference:
        """Return how far the faces that `draw` makes of the network's inputs are from these."""
        found = []
        for truncation in TRUNCATIONS:
            drawn = _drawn(network, draw, truncation).astype(int)
            found.append(np.abs(drawn - self.faces(truncation)))
        differences = np.concatenate(found)
        return Difference(int(differences.max()), float(differences.mean()))


@torch.no_grad()
def _drawn(network: SharedGenerator, draw: Draw, truncation: float) -> UInt8[np.ndarray, "n h w 3"]:
    blocks = [range(first, first + BATCH) for first in range(0, FACES, BATCH)]
    images = [draw(network.inputs_of_seeds(block, truncation)) for block in blocks]
    return to_uint8(2 * torch.cat(images) - 1)
