"""Batches of faces in an order that depends only on the seed and the epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from anime_dcgan.data.rows import read_rows, reader


class EpochOrder:
    """The shuffled order of the training faces; Lightning sets the epoch.

    With `repeat`, each epoch has the order of the first one.
    """

    def __init__(self, rows: np.ndarray, seed: int, repeat: bool = False) -> None:
        self.rows = rows
        self.seed = seed
        self.repeat = repeat
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self) -> np.ndarray:
        epoch = 0 if self.repeat else self.epoch
        return np.random.default_rng((self.seed, epoch)).permutation(self.rows)


class FaceBatches:
    """Full batches, gathered by row from the memory-mapped cache; an incomplete one is dropped.

    Each of the `world_size` processes gets different batches. Iteration can resume within an epoch:
    Lightning saves `state_dict` in its checkpoints.

    Parameters:
        device: device that holds all faces from the first batch on and gathers the batches, so that
            no step waits for a copy; None reads each batch from disk.
        repeat: True for the same batches in each epoch.
    """

    def __init__(
        self,
        images: UInt8[np.ndarray, "total h w 3"],
        rows: np.ndarray,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | None = None,
        repeat: bool = False,
    ) -> None:
        self.images = images
        self.sampler = EpochOrder(
            rows, seed, repeat
        )  # Lightning looks for this name to set the epoch
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size
        self.device = device
        self._resident: Tensor | None = None
        self._delivered = 0
        self._resume_at = {"epoch": 0, "batches": 0}

    def __len__(self) -> int:
        return len(self.sampler.rows) // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[UInt8[Tensor, "n h w 3"]]:
        rows = self._rows_of_batches()
        resumed = self._resume_at["epoch"] == self.sampler.epoch
        with self._gather(rows) as gather:
            for batch in range(self._resume_at["batches"] if resumed else 0, len(self)):
                self._delivered = batch + 1
                yield gather(batch)

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.sampler.epoch, "batches": self._delivered}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._resume_at = dict(state)

    def _rows_of_batches(self) -> Int64[np.ndarray, "batches n"]:
        """Return the rows of this process's batches in the current epoch.

        The order is random within a batch too: microbatches and the groups of `MinibatchStd` are
        consecutive images, and neighbouring rows may look alike.
        """
        order = self.sampler()[: len(self) * self.world_size * self.batch_size]
        return order.reshape(len(self), self.world_size, self.batch_size)[:, self.rank]

    @contextmanager
    def _gather(self, rows: np.ndarray) -> Iterator[Callable[[int], Tensor]]:
        """Return the function that gathers the batch with a given number."""
        if self.device is None:
            with reader(self.images) as read:
                yield lambda batch: torch.from_numpy(read(rows[batch]))
            return
        if self._resident is None:
            images = read_rows(self.images, np.arange(len(self.images)))
            self._resident = torch.from_numpy(images).to(self.device)
        faces, indices = self._resident, torch.from_numpy(rows).to(self.device)
        yield lambda batch: faces[indices[batch]]
