"""Render faces to pixels, with a cache of the generators in use."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.explore import directions
from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.face import Face, check_run, decode_latent, encode_latent
from anime_dcgan.model.base import Generator
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.run.runs import Weights, find_checkpoint
from anime_dcgan.sampling.latent import (
    latent_of_seed,
    latents_of_seeds,
    noise_of_seed,
    noise_of_seeds,
)
from anime_dcgan.sampling.sample import BLOCK, sample_images
from anime_dcgan.sampling.sample import faces as faces_of_seeds
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.system import precision
from anime_dcgan.system.errors import NotFoundError, UserError

MAX_MODELS = 4  # generators in memory
MAX_TRUNCATIONS = 32  # per generator: copies of the statistics of batch normalisation
MAX_BLOCKS = 32  # cached wall blocks per generator: 6 MB at 64 px


Pixels = UInt8[np.ndarray, "n h w 3"]


@dataclass(eq=False)
class Model:
    """The generator of one checkpoint, with cached directions and wall blocks."""

    generator: Generator
    _directions: dict[str, list[Direction]] = field(default_factory=dict)
    _blocks: OrderedDict[tuple[int, float, str], np.ndarray] = field(default_factory=OrderedDict)
    _standing: dict[float, Generator] = field(default_factory=dict)

    def directions(self, method: directions.Method) -> list[Direction]:
        """Return all directions of a method, strongest first."""
        if method not in self._directions:
            self._directions[method] = directions.find(
                self.generator, method, directions.MAX_DIRECTIONS
            )
        return self._directions[method]

    def latent(self, face: Face) -> Float[Tensor, " d"]:
        """Return the input of the generator for a face: its latent, truncated and moved."""
        latent = _base_latent(face, self.generator)
        return self.truncate(latent[None], face.truncation)[0] + self.shift(face)

    def truncate(
        self, latents: Float[Tensor, "n latent_dim"], truncation: float
    ) -> Float[Tensor, "n latent_dim"]:
        """Truncate latents: as the generator does where they are its styles, otherwise scale."""
        styles = self.generator.styles(latents)
        if styles[0].numel() != latents.shape[1]:
            return truncation * latents
        return self.generator.truncate(styles, truncation).flatten(1)

    def truncated(self, truncation: float) -> Generator:
        """Return the generator that draws faces of this truncation."""
        found = self._standing.get(truncation)
        if found is None:
            if len(self._standing) >= MAX_TRUNCATIONS:
                self._standing.clear()
            found = with_standing_statistics(self.generator, truncation)
            self._standing[truncation] = found
        return found

    def noise(self, face: Face) -> Float[Tensor, " noise_dim"]:
        """Return the noise of a face: that of its seed, or a fixed one."""
        if face.seed is None:
            return self.generator.fixed_noise()[0]
        return noise_of_seed(face.seed, self.generator)

    def shift(self, face: Face) -> Float[Tensor, " d"]:
        """Return the sum of the steps along directions that a face adds to its latent."""
        total = torch.zeros(self.generator.latent_dim)
        for name, step in face.moves.items():
            method, _, number = name.partition(".")
            found = self.directions(method)  # type: ignore[arg-type]
            if int(number) >= len(found):
                raise UserError(
                    f"this generator has no direction {name}: {method} finds {len(found)}"
                )
            total += step * found[int(number)].vector
        return total

    def block(self, first: int, template: Face, fast: bool) -> Pixels:
        """Return the faces of the `BLOCK` seeds from `first`, from an LRU cache."""
        key = (first, template.truncation, str(template.moves))
        if key not in self._blocks:
            seeds = range(first, first + BLOCK)
            latents = latents_of_seeds(seeds, self.generator.latent_dim)
            noise = noise_of_seeds(seeds, self.generator)
            latents = self.truncate(latents, template.truncation) + self.shift(template)
            generator = self.truncated(template.truncation)
            with precision.autocast(fast):
                self._blocks[key] = sample_images(generator, latents, BLOCK, noise)
            while len(self._blocks) > MAX_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]


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

    def latents(self, faces: Sequence[Face]) -> Float[Tensor, "n d"]:
        """Return the input of each face's generator: its latent, truncated and moved."""
        return torch.stack([self.model(*face.generator).latent(face) for face in faces])

    def noise(self, faces: Sequence[Face]) -> Float[Tensor, "n noise_dim"]:
        """Return the noise of each face."""
        return torch.stack([self.model(*face.generator).noise(face) for face in faces])

    def render(self, faces: Sequence[Face]) -> Pixels:
        """Return the pictures of faces of equal size, in the order given."""
        pictures: list[np.ndarray] = []
        for model, group in groupby(faces, key=lambda face: self.model(*face.generator)):
            pictures += _render(model, list(group))
        if len({pixels.shape for pixels in pictures}) > 1:
            raise UserError("these faces differ in size: render each size separately")
        return np.stack(pictures)

    def wall(self, template: Face, seed: int, count: int) -> Pixels:
        """Return the faces of `count` consecutive seeds, truncated and moved like `template`."""
        model = self.model(*template.generator)
        firsts = range(seed - seed % BLOCK, seed + count, BLOCK)
        blocks = [model.block(first, template, self.fast_walls) for first in firsts]
        return np.concatenate(blocks)[seed % BLOCK :][:count]


def _render(model: Model, faces: list[Face]) -> list[np.ndarray]:
    pictures: list[np.ndarray] = []
    for is_seed_only, group in groupby(faces, key=lambda face: face.is_seed_only):
        if is_seed_only:
            seeds = [face.seed for face in group if face.seed is not None]
            pictures += faces_of_seeds(model.generator, seeds)
        else:
            pictures += (_render_alone(model, face) for face in group)
    return pictures


def _render_alone(model: Model, face: Face) -> np.ndarray:
    latent, noise = model.latent(face)[None], model.noise(face)[None]
    return sample_images(model.truncated(face.truncation), latent, noise=noise)[0]


def _base_latent(face: Face, generator: Generator) -> Float[Tensor, " d"]:
    if face.seed is not None:
        return latent_of_seed(face.seed, generator.latent_dim)
    assert face.latent is not None
    values = decode_latent(face.latent)
    if len(values) != generator.latent_dim:
        raise UserError(
            f"this face has a latent of {len(values)} values, but its generator takes "
            f"{generator.latent_dim}: it belongs to another run"
        )
    return torch.tensor(values)


def face_from_latent(template: Face, latent: Float[Tensor, " d"]) -> Face:
    """Return the face of exactly this latent, from the generator of `template`."""
    return template.with_latent(encode_latent(latent.tolist()))
