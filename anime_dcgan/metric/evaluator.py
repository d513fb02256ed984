"""Compare generated faces with real ones, whose description is computed once and cached."""

import contextlib
import hashlib
import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from anime_dcgan.data.faces import Faces, distinct_rows
from anime_dcgan.data.rows import read_rows
from anime_dcgan.metric import neighbours, variety
from anime_dcgan.metric.base import Description, Metric
from anime_dcgan.sampling import image
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import atomic_write
from anime_dcgan.system.memory import scaled_batch

BATCH = 250  # images of 64 px per batch
LATENT_SEED = 0x5EED  # seed of the latents that are measured; nothing else uses it
EVALUATOR_VERSION = 3
"""Increase this whenever the same images would give different values."""

Pixels = UInt8[np.ndarray, "n h w 3"]
Values = dict[str, float]


@dataclass(frozen=True, eq=False)
class References:
    """Descriptions of the real faces."""

    real: Description
    """Description of the `count` faces that generated ones are compared with."""
    floor: Values
    """Values of `count` other real faces: no generator can be expected to do better."""
    training: Float[Tensor, "n d"]
    """Features of the training faces among which nearest neighbours are searched."""


class TooFewFaces(UserError):
    """The data has too few different faces to measure."""


class Evaluator:
    """Measures sets of generated faces with one metric.

    Parameters:
        count: number of real and of generated faces; reduced to half of the available real faces
            if there are fewer than `2 * count`.
        reference: "train" or "holdout": the real faces that generated ones are compared with.
        training: maximum number of training faces that are searched for nearest neighbours.
        seed: selects the real faces.
        title: what the progress of describing calls the real faces.

    No face is used twice, even if the data has copies. Raises `TooFewFaces`, and `UserError` if
    the metric's headline is not one of its distances.
    """

    def __init__(
        self,
        metric: Metric,
        faces: Faces,
        count: int = 2000,
        reference: str = "train",
        training: int = 10_000,
        seed: int = 0,
        device: torch.device | str = "cpu",
        title: str = "real faces",
    ) -> None:
        if reference not in ("train", "holdout"):
            raise UserError(
                f"reference={reference} is unknown: use reference=train or reference=holdout"
            )
        self.metric = metric
        self.faces = faces
        self.device = torch.device(device)
        self.title = title
        needed = count + max(count, training)
        training_rows = distinct_rows(faces.images, faces.train_rows, needed, seed)
        rows = training_rows
        if reference == "holdout":
            rows = distinct_rows(faces.images, faces.holdout_rows, 2 * count, seed)
        self.count = min(count, len(rows) // 2)
        if self.count < metric.min_images:
            raise TooFewFaces(
                f"{len(rows)} different faces are too few to measure: "
                f"{2 * metric.min_images} are needed, or metric=none"
            )
        self._real_rows, self._floor_rows = rows[: self.count], rows[self.count : 2 * self.count]
        others = training_rows[~np.isin(training_rows, self._floor_rows)]
        self.training_rows = np.sort(others[:training])
        self.settings: dict[str, Any] = {
            **metric.settings(),
            "version": EVALUATOR_VERSION,
            "data": faces.folder.name,
            "image_size": int(faces.images.shape[1]),
            "reference": reference,
            "count": self.count,
            "training": len(self.training_rows),
            "faces": _digest(self._real_rows.tobytes() + self._floor_rows.tobytes()),
        }
        self._batch = scaled_batch(BATCH, faces.images.shape[1])
        if self._batch != BATCH:  # the random patches of `swd` depend on it
            self.settings["batch"] = self._batch
        self.references = self._load() or self._describe_real()
        distances = [name for name in self.references.floor if "/" in name]
        if metric.headline not in distances:
            raise UserError(
                f"metric.headline={metric.headline} is not measured: use {', '.join(distances)}"
            )

    def latents(self, latent_dim: int) -> Float[Tensor, "n latent_dim"]:
        """Return the latents whose faces are measured; they are always the same."""
        random = torch.Generator().manual_seed(LATENT_SEED)
        return torch.randn(self.count, latent_dim, generator=random)

    def measure(self, pixels: Pixels) -> Values:
        """Return distances to the real faces, coverage, diversity and memorisation, by name."""
        return self.compare(self.describe(pixels))

    def describe(self, pixels: Pixels) -> Description:
        """Return the description of generated faces."""
        return self.metric.describe(self._in_batches(pixels), self.device)

    def compare(self, described: Description) -> Values:
        """Return the values that `measure` returns for faces with this description."""
        return self._compare(self.references.real, described, self.references.training)

    def held_out_features(self) -> tuple[np.ndarray, Float[Tensor, "n d"]]:
        """Return the rows and the features of real faces that are not among `training_rows`."""
        with _progress(len(self._floor_rows), f"held-out {self.title}") as advance:
            batches = self._real_batches(self._floor_rows, advance)
            return self._floor_rows, self.metric.features(batches, self.device)

    def neighbour_sheet(self, pixels: Pixels, count: int = 12, columns: int = 5) -> Image.Image:
        """Draw the `count` faces that come closest to training faces, each with its neighbours.

        Each row is a generated face followed by `columns` training faces, nearest first.
        """
        features = self.metric.features(self._in_batches(pixels), self.device)
        training = self.references.training
        distances = neighbours.nearest(features, training).relative_distance
        closest = distances.argsort()[:count].cpu()
        found = neighbours.nearest_rows(features[closest], training, min(columns, len(training)))
        rows = [
            np.concatenate(
                [pixels[[face]], read_rows(self.faces.images, self.training_rows[nearest.numpy()])]
            )
            for face, nearest in zip(closest.tolist(), found.cpu(), strict=True)
        ]
        return image.grid(np.concatenate(rows), columns=len(rows[0]))

    def _compare(self, real: Description, other: Description, training: Tensor) -> Values:
        features = real["features"], other["features"]
        return {
            **self.metric.distances(real, other),
            **neighbours.precision_recall(*features),
            **neighbours.density_coverage(*features),
            "diversity": variety.diversity(*features),
            "memorised": neighbours.nearest(other["features"], training).memorised,
        }

    def _describe_real(self) -> References:
        sets = {"real": self._real_rows, "floor": self._floor_rows, "training": self.training_rows}
        with _progress(sum(map(len, sets.values())), self.title) as advance:
            batches = {name: self._real_batches(rows, advance) for name, rows in sets.items()}
            real = self.metric.describe(batches["real"], self.device)
            other = self.metric.describe(batches["floor"], self.device)
            training = self.metric.features(batches["training"], self.device)
        references = References(real, self._compare(real, other, training), training)
        self._save(references)
        return references

    def _real_batches(self, rows: np.ndarray, advance: Callable[[int], None]) -> Iterator[Tensor]:
        for start in range(0, len(rows), self._batch):
            batch = rows[start : start + self._batch]
            yield torch.from_numpy(read_rows(self.faces.images, batch))
            advance(len(batch))

    def _in_batches(self, pixels: Pixels) -> Iterator[Tensor]:
        yield from torch.from_numpy(pixels).split(self._batch)

    @property
    def _file(self) -> Path:
        name = _digest(json.dumps(self.settings, sort_keys=True).encode())
        return self.faces.folder / f"references-{self.metric.name}-{name}.pt"

    def _load(self) -> References | None:
        try:
            cached = torch.load(self._file, map_location=self.device, weights_only=True)
            return References(cached["real"], cached["floor"], cached["training"])
        except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError):
            return None  # missing or damaged

    def _save(self, references: References) -> None:
        """Cache the references; if that fails, the next run describes the real faces again."""
        with contextlib.suppress(OSError, RuntimeError), atomic_write(self._file) as partial:
            torch.save(vars(references), partial)


@contextlib.contextmanager
def _progress(total: int, title: str) -> Iterator[Callable[[int], None]]:
    """Show a transient progress bar, or log a line if there is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        log(f"describing {total:,} {title}")
    text = TextColumn(f"describing {title}".replace("{", "{{").replace("}", "}}"), markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
