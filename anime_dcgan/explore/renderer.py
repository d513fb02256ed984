"""Render faces to pixels, with a cache of the generators in use."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from anime_dcgan.explore.face import Face, check_run
from anime_dcgan.explore.model import Model, Pixels
from anime_dcgan.explore.parents import Parents
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.run.runs import Weights, find_checkpoint
from anime_dcgan.sampling.sample import BLOCK, sample_styles
from anime_dcgan.sampling.sample import faces as faces_of_seeds
from anime_dcgan.system import precision
from anime_dcgan.system.errors import NotFoundError, UserError

MAX_MODELS = 4  # generators in memory


class Renderer:
    """Renders faces of the runs below a folder.

    Equal faces give identical pixels. Faces given by a seed match those of `generate`. A face that
    is moved or has an explicit latent is rendered alone, because the last bits of a matrix product
    depend on the rest of the batch.

    Raises `NotFoundError` for a missing run or epoch, and `UserError` for an invalid checkpoint.

    Parameters:
        fast_walls: render walls in bf16, which takes a fraction of the time on processors with
            native support and causes no visible difference; None detects the support.
    """

    def __init__(self, outputs: Path, fast_walls: bool | None = None) -> None:
        self.outputs = outputs
        self.fast_walls = (
            precision.choose("cpu")[0] == precision.FAST if fast_walls is None else fast_walls
        )
        self._models: OrderedDict[tuple[Path, Weights, int, int], Model] = OrderedDict()
        self._lock = threading.Lock()

    def model(self, run: str, epoch: str, weights: Weights) -> Model:
        """Return the generator of a checkpoint, reloaded if the file has changed."""
        path = self.checkpoint(run, epoch)
        try:
            state = path.stat()
        except OSError:
            raise NotFoundError(f"{run} no longer has a checkpoint epoch={epoch}") from None
        key = (path, weights, state.st_mtime_ns, state.st_size)
        with self._lock:
            if key not in self._models:
                with torch.inference_mode(False):  # a projection needs gradients through it
                    self._models[key] = Model(load_generator(path, weights))
                while len(self._models) > MAX_MODELS:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]

    def checkpoint(self, run: str, epoch: str) -> Path:
        """Return the checkpoint file of an epoch, which must lie inside the folder of all runs."""
        check_run(run)
        folder = self.outputs / run
        root = self.outputs.resolve()
        if not (folder / "checkpoints").is_dir() or not folder.resolve().is_relative_to(root):
            raise NotFoundError(f"there is no run {run} below {self.outputs}")
        path = find_checkpoint(folder, epoch)
        if not path.resolve().is_relative_to(root):
            raise UserError(f"epoch={epoch} of {run} lies outside {self.outputs}")
        return path

    def parents(self, faces: Sequence[Face], layers: range | None = None) -> Parents:
        """Return faces of one generator as parents, which are mixed in these layers only."""
        return Parents(self.model(*faces[0].generator), faces, layers)

    def render(self, faces: Sequence[Face]) -> Pixels:
        """Return the pictures of faces of equal size, in the order given."""
        pictures: list[np.ndarray] = []
        for model, group in groupby(faces, key=lambda face: self.model(*face.generator)):
            pictures += _render(model, list(group))
        if len({pixels.shape for pixels in pictures}) > 1:
            raise UserError("these faces differ in size: render each size separately")
        return np.stack(pictures)

    def wall(self, template: Face, seed: int, count: int) -> Pixels:
        """Return the faces of `count` consecutive seeds, edited and labelled like `template`."""
        model = self.model(*template.generator)
        firsts = range(seed - seed % BLOCK, seed + count, BLOCK)
        blocks = [model.block(first, template, self.fast_walls) for first in firsts]
        return np.concatenate(blocks)[seed % BLOCK :][:count]


def _render(model: Model, faces: list[Face]) -> list[np.ndarray]:
    pictures: list[np.ndarray] = []
    groups = groupby(faces, key=lambda face: (face.is_seed_only, face.label))
    for (is_seed_only, label), group in groups:
        if is_seed_only:
            seeds = [face.seed for face in group if face.seed is not None]
            pictures += faces_of_seeds(model.of_label(label), seeds)
        else:
            pictures += (_render_alone(model, face) for face in group)
    return pictures


def _render_alone(model: Model, face: Face) -> np.ndarray:
    styles, noise = model.styles(face)[None], model.noise(face)[None]
    generator = model.truncated(face.truncation, face.label)
    return sample_styles(generator, styles, noise=noise)[0]
