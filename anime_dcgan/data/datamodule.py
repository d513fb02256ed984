"""The Lightning data module: batches of uint8 faces from a source, with a hold-out split."""

from pathlib import Path

import lightning
import numpy as np
import torch
from jaxtyping import Float32

from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.data.cache import check_space
from anime_dcgan.data.faces import Faces, describe_faces, open_faces
from anime_dcgan.data.labels import read_labels
from anime_dcgan.data.source import HasSplit, Source
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError

MAX_RESIDENT_FRACTION = 0.25
"""Max fraction of a GPU's free memory that resident faces may take by default."""


class FacesDataModule(lightning.LightningDataModule):
    """Stream faces from the memory-mapped cache of a source.

    Parameters:
        image_size: side of the square faces, px.
        batch_size: real faces per batch, in each process.
        accumulate: batches delivered as one, which the training step splits into microbatches.
        holdout: fraction of the faces, in [0, 1), that is never trained on; null for a manifest,
            which has its own split.
        cache_dir: folder that keeps decoded faces for later runs.
        workers: decoding processes; null is one per core.
        seed: determines the split and the order.
        labels: classes of the faces: `folders`, `clusters`, a column of a manifest, a CSV file
            (`labels.csv` or `labels.csv:column`), or a factor of drawn faces; null is none.
        balance: `classes` draws each class equally often; null as often as they come.
        resident: keep all faces on the training device; null does so on a GPU with enough memory.
    """

    def __init__(
        self,
        source: Source,
        image_size: int = 64,
        batch_size: int = 64,
        holdout: float | None = 0.05,
        cache_dir: str = "outputs/cache",
        workers: int | None = None,
        seed: int = 0,
        accumulate: int = 1,
        resident: bool | None = None,
        labels: str | None = None,
        balance: str | None = None,
    ) -> None:
        super().__init__()
        if holdout is None and not isinstance(source, HasSplit):
            raise UserError("data.holdout=null is for data=manifest only: use data.holdout=0.05")
        if holdout is not None and isinstance(source, HasSplit):
            raise UserError(
                f"data.holdout={holdout} has no effect on a manifest, which has its own split: "
                "remove it,\nor split again with python -m anime_dcgan.prepare ... holdout=..."
            )
        if holdout is not None and not 0 <= holdout < 1:
            raise UserError(
                f"data.holdout={holdout} must be a number in [0, 1): use data.holdout=0.05"
            )
        if batch_size < 1:
            raise UserError(
                f"data.batch_size={batch_size} must be at least 1: use data.batch_size=64"
            )
        if balance not in (None, "classes"):
            raise UserError(
                f"data.balance={balance} is not an option: use data.balance=classes or "
                "data.balance=null"
            )
        if balance is not None and labels is None:
            raise UserError(
                f"data.balance={balance} needs labels: add data.labels=folders, for instance, or "
                "remove data.balance"
            )
        self.source = source
        self.image_size = image_size
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.holdout = holdout
        self.cache_dir = Path(cache_dir)
        self.workers = workers
        self.seed = seed
        self.resident = resident
        self.balance = balance
        self._labels = None
        if labels is not None:
            self.check_space()  # before a number of faces is labelled that no disk takes
            self._labels = read_labels(source, labels)
        self._faces: Faces | None = None

    @property
    def label_names(self) -> tuple[str, ...]:
        """The classes, in natural order; available before `setup`. Empty without labels."""
        return () if self._labels is None else self._labels.names

    def label_frequencies(self) -> Float32[np.ndarray, " classes"]:
        """Return the fraction of the training faces that each class has; after `setup`.

        Faces without a class are the rest up to 1.
        """
        labels = self.faces.labels
        assert labels is not None, "the faces have no labels"
        trained, classes = labels[self.faces.train_rows], len(self.label_names)
        known = trained[trained >= 0]
        counts = np.bincount(known, minlength=classes).astype(np.float32)
        if self.balance == "classes":
            counts[:] = len(known) / classes
        return counts / len(trained)

    @property
    def faces(self) -> Faces:
        """Training and hold-out faces; available after `setup`."""
        assert self._faces is not None, "call setup() first"
        return self._faces

    @property
    def step_size(self) -> int:
        """Number of faces per batch of the loader."""
        return self.batch_size * self.accumulate

    def batches_per_epoch(self, world_size: int) -> int:
        """Return the number of full batches of each process; before `setup`, an estimate.

        Raises `UserError` after `setup` if the faces do not fill one.
        """
        if self._faces is None:
            return self._estimate_training_faces() // (self.step_size * world_size)
        if len(self.faces.train_rows) == 0:
            raise UserError(
                f"all {len(self.faces.holdout_rows)} faces are held out; copies of one picture are "
                "not split: use data.holdout=0, or more faces"
            )
        count = len(self.faces.train_rows)
        batches = count // (self.step_size * world_size)
        if batches == 0:
            largest = count // (world_size * self.accumulate)
            fix = f"data.batch_size={largest}" if largest else "data.batch_size=1 gan.accumulate=1"
            raise UserError(
                f"{count} training faces do not fill a batch of {self.step_size * world_size}: "
                f"use {fix}, or more faces"
            )
        return batches

    def _estimate_training_faces(self) -> int:
        """Return the number of training faces if all pictures are readable; decodes nothing."""
        count = len(self.source)
        if isinstance(self.source, HasSplit):
            return int(count - self.source.held_out(np.arange(count)).sum())
        return round(count * (1 - (self.holdout or 0.0)))

    def check_space(self) -> None:
        """Raise `UserError` if there is no room for the faces; decodes nothing."""
        check_space(self.source, self.image_size, self.cache_dir)

    def prepare_data(self) -> None:
        """Build the cache if it is missing; called once per machine, before `setup`."""
        if self._faces is None:
            self._faces = self._open()
        log(describe_faces(self.source, self._faces))

    def setup(self, stage: str | None = None) -> None:
        if self._faces is None:
            self._faces = self._open()

    def _open(self) -> Faces:
        split = self.holdout, self.seed
        faces = open_faces(
            self.source, self.image_size, *split, self.cache_dir, self.workers, self._labels
        )
        _check_classes(faces)
        return faces

    def train_dataloader(self) -> FaceBatches:
        faces = self.faces
        world_size, rank, device, repeat = 1, 0, torch.device("cpu"), False
        if self.trainer is not None:
            world_size, rank = self.trainer.world_size, self.trainer.global_rank
            device = self.trainer.strategy.root_device
            repeat = bool(getattr(self.trainer, "overfit_batches", 0))
        self.batches_per_epoch(world_size)
        return FaceBatches(
            faces.images,
            faces.train_rows,
            self.step_size,
            self.seed,
            rank,
            world_size,
            device if self._is_resident(device) else None,
            repeat,
            faces.labels,
            self.balance == "classes",
        )

    def _is_resident(self, device: torch.device) -> bool:
        if self.resident is not None:
            return self.resident
        if device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(device)
        return self.faces.images.nbytes <= MAX_RESIDENT_FRACTION * free


def _check_classes(faces: Faces) -> None:
    """Raise `UserError` for a class without training faces."""
    if faces.labels is None:
        return
    trained = np.unique(faces.labels[faces.train_rows])
    absent = [name for index, name in enumerate(faces.label_names) if index not in trained]
    if absent:
        classes = "1 class has" if len(absent) == 1 else f"{len(absent):,} classes have"
        raise UserError(
            f"{classes} no training face, such as {absent[0]!r:.40}, because its pictures are held "
            "out or unreadable: add pictures, or remove these labels"
        )
