"""Render faces to pixels, with a cache of the generators in use."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from anime_dcgan.explore.face import ALIASES, Face, GeneratorId, check_run, is_epoch_number
from anime_dcgan.explore.kept import KeptGenerators
from anime_dcgan.explore.model import KnownDirections, Model, Pixels
from anime_dcgan.explore.parents import Parents
from anime_dcgan.explore.threads import DrawingThreads
from anime_dcgan.run.checkpoint import read
from anime_dcgan.run.runs import Weights, find_checkpoint, named_run
from anime_dcgan.sampling.sample import BLOCK, sample_styles
from anime_dcgan.sampling.sample import faces as faces_of_seeds
from anime_dcgan.system import precision
from anime_dcgan.system.errors import NotFoundError, UserError

MAX_MODELS = 4  # generators in memory
MAX_IDENTITIES = 4096

K = TypeVar("K")
V = TypeVar("V")


class Version(NamedTuple):
    """A checkpoint file at a time, and the weights in it."""

    path: Path
    weights: Weights
    modified: int
    size: int


class Identity(NamedTuple):
    """The digest of a generator, and its epoch as a number, or None."""

    digest: str
    epoch: str | None


class GeneratorGoneError(NotFoundError):
    """The generator of a face exists no longer."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"the generator of this face is gone: {run} was deleted or trained again, and no copy "
            "of it was kept"
        )


class Renderer:
    """Renders faces of the runs below a folder.

    Equal faces give identical pixels. Faces given by a seed match those of `generate`. A face that
    is moved or has an explicit latent is rendered alone, because the last bits of a matrix product
    depend on the rest of the batch.

    Raises `NotFoundError` for a missing run or epoch, and `UserError` for an invalid checkpoint.

    Parameters:
        kept: generators that are used when their run is gone or has changed.
        fast_walls: render walls in bf16, which takes a fraction of the time on processors with
            native support and causes no visible difference; None detects the support.
    """

    def __init__(
        self, outputs: Path, fast_walls: bool | None = None, kept: KeptGenerators | None = None
    ) -> None:
        self.outputs = outputs
        self.fast_walls = (
            precision.choose("cpu")[0] == precision.FAST if fast_walls is None else fast_walls
        )
        self.kept = kept
        self._threads = DrawingThreads()
        self.known_directions: KnownDirections = {}
        self._models: OrderedDict[Version, Model] = OrderedDict()
        self._identities: OrderedDict[Version, Identity] = OrderedDict()
        self._lock = threading.Lock()

    def model(self, run: str, epoch: str, weights: Weights, digest: str | None = None) -> Model:
        """Return a generator: that of a checkpoint, reloaded if the file has changed.

        If the checkpoint is missing or is another one than the digest names, it is the generator
        that was kept. Raises `GeneratorGoneError` if none was.
        """
        return self._load(self._version(GeneratorId(run, epoch, weights, digest)))

    def identity(self, generator: GeneratorId) -> Identity:
        """Return the digest and the numbered epoch of a generator; raises as `model` does."""
        return self._identify(self._version(generator))

    def resolve(self, face: Face) -> Face:
        """Return the face with the digest of its generator, and the number of its epoch.

        A face that has both, or whose generator is gone, is returned unchanged.
        """
        if face.digest is not None and is_epoch_number(face.epoch):
            return face
        digest, epoch = self.identity(face.generator)
        named = epoch if epoch is not None and not is_epoch_number(face.epoch) else face.epoch
        return replace(face, digest=digest, epoch=named)

    def can_draw(self, generator: GeneratorId) -> bool:
        """Return True if there is a generator to draw with."""
        if generator.digest is not None and self._is_kept(generator.digest):
            return True
        try:
            self._version(generator)
        except UserError:
            return False
        return True

    def _version(self, generator: GeneratorId) -> Version:
        """Return the file of a generator, of which only the digest has been read."""
        run, epoch, weights, digest = generator
        if digest is None:
            return _version_of(self.checkpoint(run, epoch), weights)
        for name in dict.fromkeys((epoch, *ALIASES)):
            with contextlib.suppress(UserError):
                version = _version_of(self.checkpoint(run, name), weights)
                if self._identify(version).digest == digest:
                    return version
        if self.kept is None or not self._is_kept(digest):
            raise GeneratorGoneError(run)
        return _version_of(self.kept.path(digest), "ema")

    def _is_kept(self, digest: str) -> bool:
        return self.kept is not None and self.kept.has(digest)

    def _identify(self, version: Version) -> Identity:
        with self._lock:
            found = self._identities.get(version)
        if found is None:
            model = self._load(version)
            found = Identity(model.digest, model.epoch)
        return found

    def _load(self, version: Version, keep: bool = True) -> Model:
        with self._lock:
            if version not in self._models:
                with torch.inference_mode(False):  # a projection needs gradients through it
                    model = Model.of(
                        read(version.path), version.weights, version.path, self.known_directions
                    )
                if not keep:
                    return model
                self._models[version] = model
                self._identities[version] = Identity(model.digest, model.epoch)
                _evict(self._models, MAX_MODELS)
                _evict(self._identities, MAX_IDENTITIES)
            self._models.move_to_end(version)
            return self._models[version]

    def checkpoint(self, run: str, epoch: str) -> Path:
        """Return the checkpoint file of an epoch, which must lie inside the folder of all runs."""
        check_run(run)
        folder = named_run(run, self.outputs)
        path = find_checkpoint(folder, epoch)
        root = self.outputs if folder.is_relative_to(self.outputs) else folder
        if not path.resolve().is_relative_to(root.resolve()):
            raise UserError(f"epoch={epoch} of {run} lies outside {self.outputs}")
        return path

    def state(self, face: Face) -> str:
        """Return text that changes when the file of a face's generator does."""
        return str(_version_of(self.checkpoint(face.run, face.epoch), face.weights))

    def parents(self, faces: Sequence[Face], layers: range | None = None) -> Parents:
        """Return faces of one generator as parents, which are mixed in these layers only."""
        return Parents(self.model(*faces[0].generator), faces, layers)

    def render(self, faces: Sequence[Face]) -> Pixels:
        """Return the pictures of faces of equal size, in the order given."""
        pictures: list[np.ndarray] = []
        for model, group in groupby(faces, key=lambda face: self.model(*face.generator)):
            pictures += self._render(model, list(group))
        return same_size([picture[None] for picture in pictures])

    def _render(self, model: Model, faces: list[Face]) -> list[np.ndarray]:
        pictures: list[np.ndarray] = []
        groups = groupby(faces, key=lambda face: (face.is_seed_only, face.label))
        for (is_seed_only, label), group in groups:
            if is_seed_only:
                seeds = [face.seed for face in group if face.seed is not None]
                pictures += faces_of_seeds(model.of_label(label), seeds)
            else:
                pictures += (self._render_alone(model, face) for face in group)
        return pictures

    def _render_alone(self, model: Model, face: Face) -> np.ndarray:
        styles, noise = model.styles(face)[None], model.noise(face)[None]
        generator = model.truncated(face.truncation)
        return self._threads.run(
            model.digest, lambda: sample_styles(generator, styles, noise=noise)[0]
        )

    def sketch(self, faces: Sequence[Face]) -> Pixels:
        """Return the pictures of faces of one generator, drawn together and as walls are.

        They may differ from those of `render` in the last bits, and take a fraction of the time.
        """
        model = self.model(*faces[0].generator)
        styles = torch.stack([model.styles(face) for face in faces])
        noise = torch.stack([model.noise(face) for face in faces])
        with precision.autocast(self.fast_walls):
            return sample_styles(model.truncated(faces[0].truncation), styles, noise=noise)

    def preview(self, template: Face, count: int) -> Pixels:
        """Return the first faces of a generator, which does not take the place of another one."""
        version = self._version(template.generator)
        model = self._load(version, keep=False)
        return model.block(0, template, self.fast_walls, self._threads)[:count]

    def wall(self, template: Face, seed: int, count: int) -> Pixels:
        """Return the faces of `count` consecutive seeds, edited and labelled like `template`."""
        model = self.model(*template.generator)
        firsts = range(seed - seed % BLOCK, seed + count, BLOCK)
        blocks = [model.block(first, template, self.fast_walls, self._threads) for first in firsts]
        return np.concatenate(blocks)[seed % BLOCK :][:count]


def same_size(batches: Sequence[np.ndarray]) -> Pixels:
    """Return all pictures as one array; raise `UserError` if they differ in size."""
    if len({pixels.shape[1:] for pixels in batches}) > 1:
        raise UserError("these faces differ in size: render each size separately")
    return np.concatenate(batches)


def _version_of(path: Path, weights: Weights) -> Version:
    try:
        state = path.stat()
    except OSError:
        raise NotFoundError(f"the checkpoint {path.name} no longer exists") from None
    return Version(path, weights, state.st_mtime_ns, state.st_size)


def _evict(cache: OrderedDict[K, V], max_count: int) -> None:
    while len(cache) > max_count:
        cache.popitem(last=False)
