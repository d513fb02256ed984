"""Render faces to pixels, with a cache of the generators in use."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.explore import directions, mixing
from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.face import Face, check_run, decode_latent, encode_latent
from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.run.runs import Weights, find_checkpoint
from anime_dcgan.sampling.film import film_through, film_through_styles
from anime_dcgan.sampling.latent import (
    latent_of_seed,
    latents_of_seeds,
    noise_of_seed,
    noise_of_seeds,
)
from anime_dcgan.sampling.layers import check_layers, parse_layers
from anime_dcgan.sampling.mixing import replace_layers
from anime_dcgan.sampling.sample import BLOCK, sample_styles, styles_of
from anime_dcgan.sampling.sample import faces as faces_of_seeds
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.system import precision
from anime_dcgan.system.errors import NotFoundError, UserError
from anime_dcgan.system.memory import scaled_batch

MAX_MODELS = 4  # generators in memory
MAX_TRUNCATIONS = 32  # per generator: copies of the statistics of batch normalisation
MAX_BLOCKS = 32  # cached wall blocks of 64 px per generator: 6 MB
MIN_BLOCKS = 8  # of any size: 25 MB at 256 px


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

    @cached_property
    def space(self) -> StyleSpace:
        """The style space of the generator."""
        return StyleSpace.of(self.generator)

    def styles(self, face: Face) -> Float[Tensor, "layers dim"]:
        """Return the styles of a face: mixed, truncated and moved."""
        return self.edit(self._parent_styles(face.seed, face.latent), face)[0]

    def edit(
        self, styles: Float[Tensor, "n layers dim"], face: Face
    ) -> Float[Tensor, "n layers dim"]:
        """Mix, truncate and move styles like those of `face`."""
        for text, parent in face.mix.items():
            layers = parse_layers("mix", text)
            check_layers("mix", layers, self.space.layers)
            seed, latent = (parent, None) if isinstance(parent, int) else (None, parent)
            styles = replace_layers(styles, layers, self._parent_styles(seed, latent))
        return self.generator.truncate(styles, face.truncation) + self.shift(face)

    def _parent_styles(self, seed: int | None, latent: str | None) -> Float[Tensor, "1 layers dim"]:
        if seed is not None:
            return styles_of(self.generator, latent_of_seed(seed, self.generator.latent_dim)[None])
        assert latent is not None
        return self.space.unflatten(torch.tensor([decode_latent(latent)]))

    def truncated(self, truncation: float) -> Generator:
        """Return the generator that draws faces of this truncation."""
        found = self._standing.get(truncation)
        if found is None:
            if len(self._standing) >= MAX_TRUNCATIONS:
                self._standing.clear()
            found = with_standing_statistics(self.generator, truncation)
            self._standing[truncation] = found
        return found

    def stranger(self, seed: int, values: int) -> Float[Tensor, " values"]:
        """Return the style of a seed, or the same for each layer, as that many values."""
        style = self._parent_styles(seed, None)
        return (style[:, 0] if values == self.space.dim else style.flatten(1))[0]

    def noise(self, face: Face) -> Float[Tensor, " noise_dim"]:
        """Return the noise of a face: that of its seed, or a fixed one."""
        if face.seed is None:
            return self.generator.fixed_noise()[0]
        return noise_of_seed(face.seed, self.generator)

    def shift(self, face: Face) -> Float[Tensor, "_ dim"]:
        """Return the sum of the steps along directions that a face adds to its styles."""
        total = torch.zeros(1, self.space.dim)
        for name, step in face.moves.items():
            method, _, number = name.partition(".")
            found = self.directions(method)  # type: ignore[arg-type]
            if int(number) >= len(found):
                raise UserError(
                    f"this generator has no direction {name}: {method} finds {len(found)}"
                )
            total = total + step * found[int(number)].vector.unflatten(0, (-1, self.space.dim))
        return total

    def block(self, first: int, template: Face, fast: bool) -> Pixels:
        """Return the faces of the `BLOCK` seeds from `first`, from an LRU cache."""
        key = (first, template.truncation, str((template.moves, template.mix)))
        if key not in self._blocks:
            seeds = range(first, first + BLOCK)
            latents = latents_of_seeds(seeds, self.generator.latent_dim)
            noise = noise_of_seeds(seeds, self.generator)
            styles = self.edit(styles_of(self.generator, latents), template)
            generator = self.truncated(template.truncation)
            with precision.autocast(fast):
                self._blocks[key] = sample_styles(generator, styles, BLOCK, noise)
            side = self._blocks[key].shape[1]
            while len(self._blocks) > scaled_batch(MAX_BLOCKS, side, MIN_BLOCKS):
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
        """Return the latents, of one length, that give the same faces from one generator.

        They are those that `Face.latent` holds: mixed, truncated and moved styles.
        """
        model = self.model(*faces[0].generator)
        return model.space.flatten(torch.stack([model.styles(face) for face in faces]))

    def interpolate(self, faces: Sequence[Face], steps: int) -> Float[Tensor, "m d"]:
        """Return the latents of `mixing.interpolate` through faces of one generator."""
        return mixing.interpolate(self.latents(faces), steps, self._space(faces).has_mapping)

    def blend(self, faces: Sequence[Face], weights: Sequence[float]) -> Float[Tensor, " d"]:
        """Return the latent of `mixing.blend` of faces of one generator."""
        return mixing.blend(self.latents(faces), weights, self._space(faces).has_mapping)

    def breed(
        self, faces: Sequence[Face], children: int, variation: float, seed: int
    ) -> Float[Tensor, "children d"]:
        """Return the latents of `mixing.breed` of faces of one generator."""
        parents = self.latents(faces)
        model = self.model(*faces[0].generator)
        stranger = partial(model.stranger, values=parents.shape[1])
        return mixing.breed(
            parents, children, variation, seed, stranger if model.space.has_mapping else None
        )

    def film(self, faces: Sequence[Face], frames_per_face: int) -> Iterator[Pixels]:
        """Yield the frames of a film through faces of one generator, and back to the first."""
        model = self.model(*faces[0].generator)
        generator = model.truncated(max(face.truncation for face in faces))
        latents, noise = self.latents(faces), self.noise(faces)
        if not model.space.has_mapping:
            yield from film_through(generator, latents, frames_per_face, noise)
            return
        styles = model.space.unflatten(latents)
        yield from film_through_styles(generator, styles, frames_per_face, noise)

    def _space(self, faces: Sequence[Face]) -> StyleSpace:
        return self.model(*faces[0].generator).space

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
    styles, noise = model.styles(face)[None], model.noise(face)[None]
    return sample_styles(model.truncated(face.truncation), styles, noise=noise)[0]


def face_from_latent(template: Face, latent: Float[Tensor, " d"]) -> Face:
    """Return the face of exactly this latent, from the generator of `template`."""
    return template.with_latent(encode_latent(latent.tolist()))
