"""Protocols of sources of faces.

A source is small, picklable and free of torch: worker processes unpickle it and read from it.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image


class Unreadable(Exception):
    """Raised if a picture of a source cannot be read; the message gives the reason."""


@runtime_checkable
class Source(Protocol):
    """A numbered list of pictures that can be read in any order and from any process."""

    def __len__(self) -> int:
        """Return the number of pictures, including unreadable ones."""
        ...

    def name(self, index: int) -> str:
        """Return the name of picture `index` inside the source, for reports."""
        ...

    def read(self, index: int, image_size: int) -> Image.Image:
        """Return picture `index` as RGB of `image_size` x `image_size` px; raise `Unreadable`."""
        ...

    def identity(self) -> dict[str, object]:
        """Return JSON values that change whenever any picture changes; they key the cache."""
        ...


@runtime_checkable
class Pictures(Source, Protocol):
    """A source that also provides its pictures in their original size."""

    def picture(self, index: int) -> Image.Image:
        """Return picture `index` upright, RGB, uncropped, in its own size; raise `Unreadable`."""
        ...

    def bytes(self, index: int) -> int:
        """Return the size of the encoded picture `index` in bytes."""
        ...


@runtime_checkable
class HasSplit(Source, Protocol):
    """A source that defines its own hold-out split."""

    def held_out(self, indices: np.ndarray) -> np.ndarray:
        """Return True for each held-out picture of `indices`, int64 (n,): bool, (n,)."""
        ...


@runtime_checkable
class HasLabels(Source, Protocol):
    """A source that knows the classes of its pictures."""

    def classes(self, labels: str) -> Iterable[str]:
        """Return the name of the class of each picture, "" where it is unknown.

        `labels` is the value of `data.labels`. Raises `UserError` if the source has no such labels.
        """
        ...


@runtime_checkable
class HasCount(Source, Protocol):
    """A source of as many pictures as a setting requests."""

    @property
    def count_setting(self) -> str:
        """The name of the setting."""
        ...


@runtime_checkable
class HasOtherFiles(Source, Protocol):
    """A source that may lie among files that are not pictures."""

    def passed_over(self) -> Counter[str]:
        """Return the number of files that are not pictures, by file extension."""
        ...
