"""Batches of faces in an order that depends only on the seed and the epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from anime_dcgan.data.rows import read_rows, reader


class LabelledFaces(NamedTuple):
    """A batch of faces with their classes, -1 where the class is unknown."""

    images: UInt8[Tensor, "n h w 3"]
    labels: Int64[Tensor, " n"]


class EpochOrder:
    """The shuffled order of the training faces; Lightning sets the epoch.

    With `repeat`, each epoch has the order of the first one. With the `classes` of the rows, int64
    (n,), each class is drawn equally often; -1, an unknown class, remains as frequent as it is.
    """

    def __init__(
        self,
        rows: np.ndarray,
        seed: int,
        repeat: bool = False,
        classes: np.ndarray | None = None,
    ) -> None:
        self.rows = rows
        self.seed = seed
        self.repeat = repeat
        self.classes = classes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, length: int) -> np.ndarray:
        """Return the first `length` rows of the epoch, at most as many as there are."""
        rng = np.random.default_rng((self.seed, 0 if self.repeat else self.epoch))
        if self.classes is None:
            return rng.permutation(self.rows)[:length]
        return rng.permutation(self._balanced(self.classes, length, rng))

    def _balanced(self, classes: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
        """Return `length` rows; each picture of a class is drawn before any is drawn again."""
        names, counts = np.unique(classes, return_counts=True)
        is_known = names >= 0
        unknown = int(counts[~is_known].sum()) * length // len(classes)
        number = int(is_known.sum())
        quotas = np.full(len(names), unknown)
        quotas[is_known] = rng.permutation(np.arange(length - unknown, length - unknown + number))
        quotas[is_known] //= number
        parts = [
            _draw(self.rows[classes == name], quota, rng)
            for name, quota in zip(names, quotas.tolist(), strict=True)
        ]
        return np.concatenate(parts)


def _draw(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` rows, each of them as often as any other or once more."""
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate([*rounds, rows[:0]])[:count]


class FaceBatches:
    """Full batches, gathered by row from the memory-mapped cache; an incomplete one is dropped.

    Batches are uint8 tensors or, with `labels`, `LabelledFaces`. Each of the `world_size` processes
    gets different batches. Iteration can resume within an epoch: Lightning saves `state_dict` in
    its checkpoints.

    Parameters:
        device: device that holds all faces from the first batch on and gathers the batches, so that
            no step waits for a copy; None reads each batch from disk.
        repeat: True for the same batches in each epoch.
        labels: class of each image, int64 (total,); -1 is unknown.
        balance: True to draw each class equally often.
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
        labels: Int64[np.ndarray, " total"] | None = None,
        balance: bool = False,
    ) -> None:
        self.images = images
        self.labels = None if labels is None else torch.from_numpy(labels)
        classes = labels[rows] if balance and labels is not None else None
        # Lightning looks for this name to set the epoch
        self.sampler = EpochOrder(rows, seed, repeat, classes)
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size
        self.device = device
        self._resident: Tensor | None = None
        self._delivered = 0
        self._resume_at = {"epoch": 0, "batches": 0}

    def __len__(self) -> int:
        return len(self.sampler.rows) // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[Any]:
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
        order = self.sampler(len(self) * self.world_size * self.batch_size)
        return order.reshape(len(self), self.world_size, self.batch_size)[:, self.rank]

    @contextmanager
    def _gather(self, rows: np.ndarray) -> Iterator[Callable[[int], Tensor | LabelledFaces]]:
        """Return the function that gathers the batch with a given number."""
        if self.device is None:
            with reader(self.images) as read:
                yield lambda batch: self._with_labels(
                    torch.from_numpy(read(rows[batch])), torch.from_numpy(rows[batch])
                )
            return
        if self._resident is None:
            images = read_rows(self.images, np.arange(len(self.images)))
            self._resident = torch.from_numpy(images).to(self.device)
            self.labels = None if self.labels is None else self.labels.to(self.device)
        faces, indices = self._resident, torch.from_numpy(rows).to(self.device)
        yield lambda batch: self._with_labels(faces[indices[batch]], indices[batch])

    def _with_labels(self, images: Tensor, rows: Tensor) -> Tensor | LabelledFaces:
        return images if self.labels is None else LabelledFaces(images, self.labels[rows])
