"""The generator of a checkpoint, and what faces need of it: styles, noise, directions, walls."""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from anime_dcgan.explore import directions
from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.face import Face, decode_latent, is_epoch_number, split_move
from anime_dcgan.explore.styles import StyleSpace
from anime_dcgan.explore.threads import DrawingThreads
from anime_dcgan.model.base import Generator
from anime_dcgan.run.checkpoint import (
    COUNTS,
    build_generator,
    generator_settings,
    generator_state,
)
from anime_dcgan.run.digest import digest_of
from anime_dcgan.run.runs import Weights, epoch_name
from anime_dcgan.sampling.latent import (
    latents_of_seeds,
    noise_of_seed,
    noise_of_seeds,
)
from anime_dcgan.sampling.layers import check_layers, parse_layers
from anime_dcgan.sampling.mixing import replace_layers
from anime_dcgan.sampling.sample import BLOCK, sample_styles, styles_of
from anime_dcgan.sampling.standing import with_standing_statistics
from anime_dcgan.system import precision
from anime_dcgan.system.errors import NotFoundError, UserError
from anime_dcgan.system.memory import scaled_batch

MAX_LABELS = 64  # views of a generator
MAX_TRUNCATIONS = 32  # per generator: copies of the statistics of batch normalisation
MAX_BLOCKS = 32  # cached wall blocks of 64 px per generator: 6 MB
MIN_BLOCKS = 8  # of any size: 25 MB at 256 px

Pixels = UInt8[np.ndarray, "n h w 3"]
KnownDirections = dict[tuple[str, str], list[Direction]]
"""The directions of generators, by the digest of their weights and the method."""


@dataclass(eq=False)
class Model:
    """The generator of one checkpoint, with cached directions and wall blocks.

    Attributes:
        digest: hash of its weights, see `run.digest`.
        settings: its class and arguments, as the checkpoint names them.
        counts: epochs and images of the training.
        known_directions: directions that have been found, also of other generators.
    """

    generator: Generator
    digest: str
    settings: Any
    counts: Mapping[str, float]
    known_directions: KnownDirections = field(default_factory=dict)
    _blocks: OrderedDict[tuple[int, float, str, str | None], np.ndarray] = field(
        default_factory=OrderedDict
    )
    _standing: dict[float, Generator] = field(default_factory=dict)
    _labelled: dict[str, Generator] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        contents: dict[str, Any],
        weights: Weights,
        path: Path,
        known_directions: KnownDirections | None = None,
    ) -> "Model":
        """Return the model of what `checkpoint.read` returned for `path`."""
        settings = generator_settings(contents, path)
        return cls(
            build_generator(contents, weights, path),
            digest_of(settings, generator_state(contents, weights)),
            settings,
            {name: contents[name] for name in COUNTS},
            {} if known_directions is None else known_directions,
        )

    @property
    def epoch(self) -> str | None:
        """The epoch after which the checkpoint was written; None if it is not a valid one."""
        epoch = self.counts["epochs_done"]
        name = epoch_name(epoch) if math.isfinite(epoch) else ""
        return name if is_epoch_number(name) else None

    def of_label(self, label: str | None) -> Generator:
        """Return the generator with this default label; None gives seeds their own labels.

        Raises `NotFoundError` if the generator does not know the label.
        """
        if label is None:
            return self.generator
        if label not in self._labelled:
            if len(self._labelled) >= MAX_LABELS:
                self._labelled.clear()
            self._labelled[label] = self._view(label)
        return self._labelled[label]

    def _view(self, label: str) -> Generator:
        try:
            with torch.inference_mode(False):  # a projection needs gradients through it
                return self.generator.of_label(label)
        except UserError as error:
            raise NotFoundError(str(error)) from None

    def directions(self, method: directions.Method) -> list[Direction]:
        """Return all directions of a method, strongest first."""
        key = (self.digest, method)
        found = self.known_directions.get(key)
        if found is None:
            found = directions.find(self.generator, method, directions.MAX_DIRECTIONS)
            self.known_directions[key] = found
        return found

    @cached_property
    def space(self) -> StyleSpace:
        """The style space of the generator."""
        return StyleSpace.of(self.generator)

    def styles(self, face: Face) -> Float[Tensor, "layers dim"]:
        """Return the styles of a face: mixed, truncated and moved."""
        return (self._mix(self._own_styles(face), face) + self.shift(face))[0]

    def mixed_styles(self, face: Face) -> Float[Tensor, "layers dim"]:
        """Return the styles of a face before they are truncated and moved."""
        plain = replace(face, truncation=1.0)
        return self._mix(self._own_styles(plain), plain)[0]

    def _mix(
        self, styles: Float[Tensor, "n layers dim"], face: Face
    ) -> Float[Tensor, "n layers dim"]:
        """Return styles with the truncated ones of the face's other parents in their layers."""
        for text, parent in face.mix.items():
            layers = parse_layers("mix", text)
            check_layers("mix", layers, self.space.layers)
            seed, latent = (parent, None) if isinstance(parent, int) else (None, parent)
            parent_styles = self._parent_styles(seed, latent, face.label, face.truncation)
            styles = replace_layers(styles, layers, parent_styles)
        return styles

    def _own_styles(self, face: Face) -> Float[Tensor, "1 layers dim"]:
        """Return the truncated styles of a face's own seed or latent."""
        if face.label is not None and face.latent is not None and self.space.has_mapping:
            raise UserError(
                f"label={face.label!s:.40} cannot replace the label of this face, which is a part "
                "of its style: use no label, or a seed"
            )
        return self._parent_styles(face.seed, face.latent, face.label, face.truncation)

    def _parent_styles(
        self, seed: int | None, latent: str | None, label: str | None, truncation: float
    ) -> Float[Tensor, "1 layers dim"]:
        """Return the truncated styles of a seed or a latent, whose label another may replace.

        The styles of a mapping network contain their label, and keep it. Which one it is, is not
        known: truncation moves them towards the mean of all labels.
        """
        if seed is not None:
            return self._styles_of_seeds([seed], label, truncation)
        assert latent is not None
        styles = self.space.unflatten(torch.tensor([decode_latent(latent)]))
        generator = self.of_label(label)
        if label is not None and not self.space.has_mapping:
            with torch.no_grad():
                styles = generator.with_embedding(self.space.split(styles)[0], None)
        return generator.truncate(styles, truncation)

    def _styles_of_seeds(
        self, seeds: Sequence[int], label: str | None, truncation: float
    ) -> Float[Tensor, "n layers dim"]:
        generator = self.of_label(label)
        latents = latents_of_seeds(seeds, generator.latent_dim)
        labels = generator.labels_of_seeds(seeds)
        return styles_of(generator, latents, truncation, labels)

    def truncated(self, truncation: float) -> Generator:
        """Return the generator that draws faces of this truncation."""
        found = self._standing.get(truncation)
        if found is None:
            if len(self._standing) >= MAX_TRUNCATIONS:
                self._standing.clear()
            found = with_standing_statistics(self.generator, truncation)
            self._standing[truncation] = found
        return found

    def stranger(self, seed: int, values: int, label: str | None) -> Float[Tensor, " values"]:
        """Return the style of a seed, or the same for each layer, as that many values."""
        style = self._parent_styles(seed, None, label, truncation=1.0)
        return (style[:, 0] if values == self.space.dim else style.flatten(1))[0]

    def noise(self, face: Face) -> Float[Tensor, " noise_dim"]:
        """Return the noise of a face: that of its seed, or a fixed one."""
        if face.seed is None:
            return self.generator.fixed_noise()[0]
        return noise_of_seed(face.seed, self.generator)

    def shift(self, face: Face) -> Float[Tensor, "_ dim"]:
        """Return the sum of the steps along directions that a face adds to its styles.

        That of the embedding of a label is 0.
        """
        total = torch.zeros(1, self.space.dim)
        for name, step in face.moves.items():
            direction, layers = split_move(name)
            total = total + self.space.shift(step * self._vector(direction), layers)
        return total

    def _vector(self, direction: str) -> Float[Tensor, " d"]:
        method, _, number = direction.partition(".")
        found = self.directions(method)  # type: ignore[arg-type]
        if int(number) >= len(found):
            raise UserError(
                f"this generator has no direction {direction}: {method} finds {len(found)}"
            )
        return found[int(number)].vector

    def block(
        self, first: int, template: Face, fast: bool, threads: DrawingThreads | None = None
    ) -> Pixels:
        """Return the faces of the `BLOCK` seeds from `first`, from an LRU cache.

        Parameters:
            threads: chooses the number of threads; None uses the present one.
        """
        edits = str((template.moves, template.mix))
        key = (first, template.truncation, edits, template.label)
        if key not in self._blocks:
            seeds = range(first, first + BLOCK)
            noise = noise_of_seeds(seeds, self.generator)
            own = self._styles_of_seeds(seeds, template.label, template.truncation)
            styles = self._mix(own, template) + self.shift(template)
            generator = self.truncated(template.truncation)

            def draw() -> Pixels:
                with precision.autocast(fast):
                    return sample_styles(generator, styles, BLOCK, noise)

            self._blocks[key] = (
                draw() if threads is None else threads.run((self.digest, fast), draw)
            )
            side = self._blocks[key].shape[1]
            while len(self._blocks) > scaled_batch(MAX_BLOCKS, side, MIN_BLOCKS):
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]
