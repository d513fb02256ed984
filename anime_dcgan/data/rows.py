"""Reading rows of a cache without its memory map.

Pages that are read through a memory map stay resident, together with their neighbours: 14,000
random faces of a million (170 MB) took 4 GB of memory and five times as long.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

Gather = Callable[[np.ndarray], np.ndarray]
"""Maps row numbers, int64 of shape (n,), to the rows."""


def read_rows(images: UInt8[np.ndarray, "total h w 3"], rows: np.ndarray) -> np.ndarray:
    """Return the rows in a new array, uint8 of shape (n, h, w, 3)."""
    with reader(images) as gather:
        return gather(rows)


@contextmanager
def reader(images: UInt8[np.ndarray, "total h w 3"]) -> Iterator[Gather]:
    """Return a function that gathers rows into a new array, bypassing a memory map.

    The map of a file that was deleted meanwhile remains readable, and is used then.
    """
    file = _open(images)
    if file is None:
        yield lambda rows: np.asarray(images)[rows]
        return
    assert isinstance(images, np.memmap)
    name, offset = images.filename, images.offset
    with file:

        def gather(rows: np.ndarray) -> np.ndarray:
            gathered = np.empty((len(rows), *images.shape[1:]), dtype=np.uint8)
            for index in np.argsort(rows):  # disks prefer ascending order
                image, row = gathered[index], int(rows[index])
                length = os.preadv(file.fileno(), [image.data], offset + row * image.nbytes)
                assert length == image.nbytes, f"{name} is truncated"
            return gathered

        yield gather


def _open(images: np.ndarray) -> FileIO | None:
    """Open the file of a memory map; return None if there is none that can be read."""
    if not (isinstance(images, np.memmap) and images.filename and hasattr(os, "preadv")):
        return None
    try:
        return Path(images.filename).open("rb", buffering=0)
    except OSError:
        return None
