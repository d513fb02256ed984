"""From faces as plain values to pixels: finds the generator of each, and keeps those in use."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
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
from anime_dcgan.sampling.latent import latent_of_seed, latents_of_seeds
from anime_dcgan.sampling.sample import BLOCK, sample_images
from anime_dcgan.sampling.sample import faces as faces_of_seeds
from anime_dcgan.system import precision
from anime_dcgan.system.errors import NotFoundError, UserError

KEPT = 4  # generators in memory
BLOCKS = 32  # of walls, of each generator in memory: 6 MB at 64 px


Pixels = UInt8[np.ndarray, "n h w 3"]


@dataclass(eq=False)
class Model:
    """A generator of one checkpoint, with its directions once they were asked for."""

    generator: Generator
    _found: dict[str, list[Direction]] = field(default_factory=dict)
    _blocks: OrderedDict[tuple[int, float, str], np.ndarray] = field(default_factory=OrderedDict)

    def directions(self, method: directions.Method) -> list[Direction]:
        """All that a method finds, the strongest first."""
        if method not in self._found:
            self._found[method] = directions.find(self.generator, method, directions.MOST)
        return self._found[method]

    def latent(self, face: Face) -> Float[Tensor, " d"]:
        """What the generator is given for a face: its latent, truncated and moved."""
        return _base_latent(face, self.generator) * face.truncation + self.shift(face)

    def shift(self, face: Face) -> Float[Tensor, " d"]:
        """What its steps along directions add to the latent of a face."""
        total = torch.zeros(self.generator.latent_dim)
        for name, step in face.moves.items():
            method, _, number = name.partition(".")
            found = self.directions(method)  # type: ignore[arg-type]
            if int(number) >= len(found):
                raise UserError(f"this generator has no direction {name}: it has {len(found)}")
            total += step * found[int(number)].vector
        return total

    def block(self, first: int, like: Face, fast: bool) -> Pixels:
        """The faces of the `BLOCK` seeds from `first` on; those asked for lately are kept."""
        key = (first, like.truncation, str(like.moves))
        if key not in self._blocks:
            latents = latents_of_seeds(range(first, first + BLOCK), self.generator.latent_dim)
            latents = like.truncation * latents + self.shift(like)
            with precision.autocast(fast):
                self._blocks[key] = sample_images(self.generator, latents, BLOCK)
            while len(self._blocks) > BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]


class Renderer:
    """Draws faces of the runs below a folder.

    The same face is always the same pixels. Faces of seeds are those of `generate`; a face that
    was moved, or has a latent of its own, is drawn alone, because the last bits of a matrix
    product depend on what is drawn beside it.

    Parameters:
        fast_walls: draw walls in bf16, which takes a fraction of the time where the processor is
            made for it and differs from the faces themselves by less than eyes see; None where
            it is.

    Raises `UserError` for runs and epochs that are not there, and checkpoints that are refused.
    """

    def __init__(self, outputs: Path, fast_walls: bool | None = None) -> None:
        self.outputs = outputs
        self.fast_walls = (
            precision.choose("cpu")[0] == precision.FAST if fast_walls is None else fast_walls
        )
        self._models: OrderedDict[tuple[Path, Weights, int, int], Model] = OrderedDict()
        self._lock = threading.Lock()

    def model(self, run: str, epoch: str, weights: Weights) -> Model:
        """The generator of a checkpoint as it is now on disk."""
        path = self.checkpoint(run, epoch)
        try:
            state = path.stat()
        except OSError:
            raise NotFoundError(f"{run} has no checkpoint epoch={epoch} any more") from None
        key = (path, weights, state.st_mtime_ns, state.st_size)
        with self._lock:
            if key not in self._models:
                with torch.inference_mode(False):  # a projection needs gradients through it
                    self._models[key] = Model(load_generator(path, weights))
                while len(self._models) > KEPT:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]

    def checkpoint(self, run: str, epoch: str) -> Path:
        """The file of an epoch of a run; never outside the folder of all runs."""
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
        """What each face's generator is given, truncated and moved."""
        return torch.stack([self.model(*face.generator).latent(face) for face in faces])

    def draw(self, faces: Sequence[Face], go_on: Callable[[], None] = lambda: None) -> Pixels:
        """The pictures of faces that have one size, in their order.

        `go_on` is called before each; what it raises ends the drawing.
        """
        drawn: list[np.ndarray] = []
        for model, same in groupby(faces, key=lambda face: self.model(*face.generator)):
            drawn += _draw(model, list(same), go_on)
        if len({pixels.shape for pixels in drawn}) > 1:
            raise UserError("these faces differ in size: draw them apart")
        return np.stack(drawn)

    def wall(self, like: Face, seed: int, count: int) -> Pixels:
        """The faces of `count` seeds in a row, truncated and moved as `like` is."""
        model = self.model(*like.generator)
        firsts = range(seed - seed % BLOCK, seed + count, BLOCK)
        blocks = [model.block(first, like, self.fast_walls) for first in firsts]
        return np.concatenate(blocks)[seed % BLOCK :][:count]


def _draw(model: Model, faces: list[Face], go_on: Callable[[], None]) -> list[np.ndarray]:
    pixels: list[np.ndarray] = []
    for plain, some in groupby(faces, key=lambda face: face.plain):
        if plain:
            seeds = [face.seed for face in some if face.seed is not None]
            for drawn in faces_of_seeds(model.generator, seeds):
                go_on()
                pixels.append(drawn)
            continue
        for face in some:
            go_on()
            pixels += list(sample_images(model.generator, model.latent(face)[None]))
    return pixels


def _base_latent(face: Face, generator: Generator) -> Float[Tensor, " d"]:
    if face.seed is not None:
        return latent_of_seed(face.seed, generator.latent_dim)
    assert face.latent is not None
    values = decode_latent(face.latent)
    if len(values) != generator.latent_dim:
        raise UserError(
            f"this face has a latent of {len(values)} numbers, and its generator takes "
            f"{generator.latent_dim}: it belongs to another run"
        )
    return torch.tensor(values)


def face_of_latent(like: Face, latent: Float[Tensor, " d"]) -> Face:
    """A face of the same generator with exactly this latent."""
    return like.with_latent(encode_latent(latent.tolist()))
