"""What a place that faces come from must offer.

A source is small, picklable and free of torch: worker processes open it anew and read from it.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image


class Unreadable(Exception):
    """One picture of a source cannot be read; the message says why."""


@runtime_checkable
class Source(Protocol):
    """A numbered list of pictures, each read on its own, in any order and from any process."""

    def __len__(self) -> int:
        """Number of pictures, unreadable ones included."""
        ...

    def name(self, index: int) -> str:
        """What picture `index` is called inside the source, for reports."""
        ...

    def read(self, index: int, image_size: int) -> Image.Image:
        """Picture `index` as RGB of `image_size` x `image_size` px; raises `Unreadable`."""
        ...

    def identity(self) -> dict[str, object]:
        """Plain JSON values that change whenever any picture would: the cache is keyed to them."""
        ...


@runtime_checkable
class Pictures(Source, Protocol):
    """A source whose pictures can also be had in their own size, to be looked into or cropped."""

    def picture(self, index: int) -> Image.Image:
        """Picture `index` whole, upright, RGB, in its own size; raises `Unreadable`."""
        ...

    def bytes(self, index: int) -> int:
        """Length of the encoded picture `index`."""
        ...


@runtime_checkable
class HasSplit(Source, Protocol):
    """A source that says itself which of its pictures are never trained on."""

    def held_out(self, indices: np.ndarray) -> np.ndarray:
        """Whether each of the pictures `indices`, int64 (n,), is held out: bool, (n,)."""
        ...
