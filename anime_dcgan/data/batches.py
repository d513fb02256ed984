"""Batches of faces in an order that depends on the seed and the epoch alone."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

Gather = Callable[[np.ndarray], np.ndarray]
"""Row numbers, int64 (n,), in; the rows out."""


class EpochOrder:
    """The shuffled order of the training faces in one epoch; Lightning tells the epoch."""

    def __init__(self, rows: np.ndarray, seed: int) -> None:
        self.rows = rows
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self) -> np.ndarray:
        return np.random.default_rng((self.seed, self.epoch)).permutation(self.rows)


class FaceBatches:
    """Full batches gathered by index from the memory-mapped cache; the odd rest is left out.

    Each of `world_size` processes gets a batch of its own. It can be resumed within an epoch:
    Lightning saves `state_dict` in its checkpoints.
    """

    def __init__(
        self,
        images: UInt8[np.ndarray, "total h w 3"],
        rows: np.ndarray,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images = images
        self.sampler = EpochOrder(rows, seed)  # Lightning looks for this name to set the epoch
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size
        self._delivered = 0
        self._resume_at = {"epoch": 0, "batches": 0}

    def __len__(self) -> int:
        return len(self.sampler.rows) // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[UInt8[Tensor, "n h w 3"]]:
        order = self.sampler()
        resumed = self._resume_at["epoch"] == self.sampler.epoch
        with _reader(self.images) as gather:
            for batch in range(self._resume_at["batches"] if resumed else 0, len(self)):
                self._delivered = batch + 1
                start = (batch * self.world_size + self.rank) * self.batch_size
                # in ascending order, as the disk likes it: within a batch the order means nothing
                rows = np.sort(order[start : start + self.batch_size])
                yield torch.from_numpy(gather(rows))

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.sampler.epoch, "batches": self._delivered}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._resume_at = dict(state)


@contextmanager
def _reader(images: UInt8[np.ndarray, "total h w 3"]) -> Iterator[Gather]:
    """What gathers rows into a new array, past the memory map where there is one.

    What is read through a map stays resident: in the end the whole file.
    """
    if not (isinstance(images, np.memmap) and images.filename and hasattr(os, "preadv")):
        yield lambda rows: images[rows]
        return
    name, offset = images.filename, images.offset
    with Path(name).open("rb", buffering=0) as file:

        def gather(rows: np.ndarray) -> np.ndarray:
            found = np.empty((len(rows), *images.shape[1:]), dtype=np.uint8)
            for place, row in zip(found, rows.tolist(), strict=True):
                length = os.preadv(file.fileno(), [place.data], offset + row * place.nbytes)
                assert length == place.nbytes, f"{name} was cut off"
            return found

        yield gather
