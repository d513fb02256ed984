"""Batches of faces in an order that depends on the seed and the epoch alone."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from anime_dcgan.data.rows import reader


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
        with reader(self.images) as gather:
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
