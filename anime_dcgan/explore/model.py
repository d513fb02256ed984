"""The generator of a checkpoint, and what faces need of it: styles, noise, directions, walls."""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.explore import directions
from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.face import Face, decode_latent, split_move
from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.model.base import Generator
from anime_dcgan.sampling.latent import (
    latent_of_seed,
    latents_of_seeds,
    noise_of_seed,
    noise_of_seeds,
)
from anime_dcgan.sampling.layers import check_layers, parse_layers
from anime_dcgan.sampling.mixing import replace_layers
from anime_dcgan.sampling.sample import BLOCK, sample_styles, styles_of
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.memory import scaled_batch

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
        return self.generator.truncate(self._mix(styles, face), face.truncation) + self.shift(face)

    def mixed_styles(self, face: Face) -> Float[Tensor, "layers dim"]:
        """Return the styles of a face before they are truncated and moved."""
        return self._mix(self._parent_styles(face.seed, face.latent), face)[0]

    def _mix(
        self, styles: Float[Tensor, "n layers dim"], face: Face
    ) -> Float[Tensor, "n layers dim"]:
        for text, parent in face.mix.items():
            layers = parse_layers("mix", text)
            check_layers("mix", layers, self.space.layers)
            seed, latent = (parent, None) if isinstance(parent, int) else (None, parent)
            styles = replace_layers(styles, layers, self._parent_styles(seed, latent))
        return styles

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
            direction, layers = split_move(name)
            shift = step * self._vector(direction).unflatten(0, (-1, self.space.dim))
            if layers is not None:
                check_layers("moves", layers, self.space.layers)
                whole = shift.expand(self.space.layers, -1)
                shift = replace_layers(torch.zeros_like(whole)[None], layers, whole[None])[0]
            total = total + shift
        return total

    def _vector(self, direction: str) -> Float[Tensor, " d"]:
        method, _, number = direction.partition(".")
        found = self.directions(method)  # type: ignore[arg-type]
        if int(number) >= len(found):
            raise UserError(
                f"this generator has no direction {direction}: {method} finds {len(found)}"
            )
        return found[int(number)].vector

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
