"""Names that users give to directions; other epochs, and runs begun from theirs, inherit them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.explore.directions import Direction, method_of
from anime_dcgan.explore.naming import Name

MIN_COSINE = 0.6
"""Directions of two epochs are the same one from this cosine on. In one run it is 0.9 from epoch to
epoch for the strongest ones; that of unrelated directions of 100 values is 0.1."""


@dataclass(frozen=True, eq=False)
class GivenName:
    """A name that a user gave to one side of a direction.

    Attributes:
        direction: id of the direction (`sefa.0`).
        text: the name; empty if the user wants none, not even an inherited one.
        vector: points to the side that has the name.
    """

    direction: str
    text: str
    vector: Float[Tensor, " d"]

    @classmethod
    def unpack(cls, direction: str, text: str, packed: bytes) -> "GivenName":
        """Return the name with the vector that `pack` returned."""
        return cls(direction, text, torch.from_numpy(np.frombuffer(packed, "<f4").copy()))

    def pack(self) -> bytes:
        """Return the vector as little-endian float32."""
        return np.asarray(self.vector, "<f4").tobytes()


def inherit(given: Sequence[GivenName], directions: Sequence[Direction]) -> dict[str, GivenName]:
    """Return the names that directions inherit, by their ids: those of the most similar ones.

    Each direction has at most one name, and each text belongs to at most one direction.
    """
    pairs = [
        (abs(_cosine(name, direction)), name, direction)
        for name in given
        for direction in directions
        if name.text and method_of(name.direction) == method_of(direction.id)
    ]
    found: dict[str, GivenName] = {}
    texts: set[str] = set()
    for cosine, name, direction in sorted(pairs, key=lambda pair: -pair[0]):
        if cosine < MIN_COSINE:
            break
        if direction.id not in found and name.text not in texts:
            found[direction.id] = name
            texts.add(name.text)
    return found


def with_given_name(measured: Name, given: GivenName, direction: Direction) -> Name:
    """Return the name that a user gave, with the measured one of the other side."""
    sign = -1 if _cosine(given, direction) < 0 else 1
    ends = (measured.text, measured.opposite) if measured.opposite else (None, None)
    opposite = ends[1] if sign == measured.sign else ends[0]
    return replace(measured, text=given.text, opposite=opposite, sign=sign)


def _cosine(name: GivenName, direction: Direction) -> float:
    if name.vector.shape != direction.vector.shape:
        return 0.0
    return float(torch.cosine_similarity(name.vector, direction.vector, dim=0))
