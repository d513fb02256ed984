"""Faces of one generator as parents: what lies between them, their children, and films."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from anime_dcgan.explore import mixing
from anime_dcgan.explore.face import Face, encode_latent
from anime_dcgan.explore.model import Model
from anime_dcgan.sampling.film import (
    Step,
    film_through_styles,
    on_great_circles,
    on_straight_lines,
)
from anime_dcgan.sampling.layers import check_layers
from anime_dcgan.sampling.mixing import replace_layers
from anime_dcgan.sampling.sample import Pixels

Mix = Callable[[Tensor, bool], Tensor]
"""Returns mixed rows of the rows of all parents; if True, on straight lines."""


@dataclass(frozen=True, eq=False)
class Parents:
    """Faces of one generator, which are mixed into others.

    If generators need statistics of their own for truncated faces, the mixed faces are truncated
    and moved like their parents on average, so that they are drawn with such statistics. The faces
    of other generators have truncation and steps in their latent.

    The embeddings of labels are mixed on straight lines, so that the label of a mixed face is a
    mixture of those of its parents.

    Parameters:
        layers: style layers to be mixed; the others, and truncation and steps, are those of the
            first face. None mixes all.
    """

    model: Model
    faces: Sequence[Face]
    layers: range | None = None

    def __post_init__(self) -> None:
        if self.layers is not None:
            check_layers("layers", self.layers, self.model.space.layers)

    @property
    def label(self) -> str | None:
        """The label that all faces name, or None."""
        labels = {face.label for face in self.faces}
        return labels.pop() if len(labels) == 1 else None

    @property
    def _keep_truncation(self) -> bool:
        """True if truncation and steps of mixed faces are settings, not a part of their latent."""
        is_truncated = any(face.truncation != 1 for face in self.faces)
        return self.model.generator.standing_statistics and is_truncated

    def interpolate(self, steps: int) -> list[Face]:
        """Return the faces of `mixing.interpolate`; parents are not replaced."""
        return self._mixed(lambda rows, straight: mixing.interpolate(rows, steps, straight))

    def blend(self, weights: Sequence[float]) -> Face:
        """Return the face of `mixing.blend`."""
        (face,) = self._mixed(lambda rows, straight: mixing.blend(rows, weights, straight)[None])
        return face

    def breed(self, children: int, variation: float, seed: int) -> list[Face]:
        """Return the faces of `mixing.breed`."""

        def breed(rows: Tensor, straight: bool) -> Tensor:
            if not straight:
                return mixing.breed(rows, children, variation, seed)
            stranger = partial(self.model.stranger, values=rows.shape[1], label=self.label)
            return mixing.breed(rows, children, variation, seed, stranger)

        def average(rows: Tensor, straight: bool) -> Tensor:
            return mixing.breed(rows, children, 0.0, seed, lambda _: torch.zeros_like(rows[0]))

        return self._mixed(breed, average)

    def film(self, frames_per_face: int) -> Iterator[Pixels]:
        """Yield the frames of a film through the faces, and back to the first.

        Films of some layers, and of generators with a mapping network, move on straight lines.
        """
        faces = self.faces
        if self._keep_truncation and self.layers is not None:
            kept = {"truncation": faces[0].truncation, "moves": faces[0].moves}
            faces = [replace(face, **kept) for face in faces]
        generators = [self.model.truncated(face.truncation) for face in faces]
        styles = torch.stack([self.model.styles(face) for face in faces])
        noise = torch.stack([self.model.noise(face) for face in faces])
        if self.model.space.has_mapping or self.layers is not None:
            styles = self._keep(styles, styles[:1])
            yield from film_through_styles(generators, styles, frames_per_face, noise)
        else:
            curved = self._on_great_circles
            yield from film_through_styles(generators, styles, frames_per_face, noise, curved)

    def _on_great_circles(
        self, styles: Float[Tensor, "n layers dim"], steps: list[Step]
    ) -> Float[Tensor, "m layers dim"]:
        """Interpolate the latents on great circles, and the embeddings of labels between them."""
        values, embedding = self.model.space.split(styles)
        curved = on_great_circles(values.flatten(1), steps).unflatten(1, values.shape[1:])
        return torch.cat([curved, on_straight_lines(embedding, steps)], dim=-1)

    def latents(self) -> Float[Tensor, "n d"]:
        """Return the latents, of one length, that hold the mixed, truncated and moved styles."""
        styles = [self.model.styles(face) for face in self.faces]
        return self.model.space.flatten(torch.stack(styles))

    def _mixed(self, mix: Mix, average: Mix | None = None) -> list[Face]:
        """Return the faces of mixed styles; `average` mixes truncations and steps, like `mix`."""
        origin = self.faces[0].generator
        average = average or mix
        label = None if self.model.space.has_mapping else self.label
        if not self._keep_truncation:
            mixed = self._mixed_values(self.model.styles, mix, average)
            latents = map(encode_latent, mixed.tolist())
            return [Face(*origin, latent=latent, label=label) for latent in latents]
        mixed = self._mixed_values(self.model.mixed_styles, mix, average)
        settings = self._settings(average, len(mixed))
        return [
            Face(
                *origin, latent=encode_latent(row), truncation=truncation, moves=moves, label=label
            )
            for row, (truncation, moves) in zip(mixed.tolist(), settings, strict=True)
        ]

    def _mixed_values(
        self, styles_of: Callable[[Face], Tensor], mix: Mix, average: Mix
    ) -> Float[Tensor, "n values"]:
        """Return the mixed styles, flat, with those of the first face in the layers to be kept."""
        space = self.model.space
        styles = torch.stack([styles_of(face) for face in self.faces])
        if space.embedding_dim:
            values, embedding = space.split(styles)
            parts = mix(values.flatten(1), False), average(embedding.flatten(1), True)
            rows = [part.unflatten(1, (space.layers, -1)) for part in parts]
            mixed = torch.cat(rows, dim=-1).flatten(1)
        else:
            mixed = mix(space.flatten(styles), space.has_mapping)
        if self.layers is None:
            return mixed
        return space.flatten(self._keep(space.unflatten(mixed), styles[:1]))

    def _settings(self, mix: Mix, count: int) -> list[tuple[float, dict[str, float]]]:
        """Return the mean truncation and steps of each mixed face."""
        if self.layers is not None:
            return count * [(self.faces[0].truncation, dict(self.faces[0].moves))]
        names = sorted({name for face in self.faces for name in face.moves})
        rows = [
            [face.truncation, *(face.moves.get(name, 0.0) for name in names)] for face in self.faces
        ]
        mixed = mix(torch.tensor(rows, dtype=torch.double), True)
        return [  # rounded: each truncation needs statistics of its own
            (round(truncation, 2), dict(zip(names, steps, strict=True)))
            for truncation, *steps in mixed.tolist()
        ]

    def _keep(
        self, styles: Float[Tensor, "n layers dim"], first: Float[Tensor, "1 layers dim"]
    ) -> Float[Tensor, "n layers dim"]:
        """Return the styles of the first face with the layers to be mixed of `styles`."""
        if self.layers is None:
            return styles
        return replace_layers(first.expand_as(styles), self.layers, styles)


def face_from_latent(template: Face, latent: Float[Tensor, " d"]) -> Face:
    """Return the face of exactly this latent, from the generator of `template`."""
    return template.with_latent(encode_latent(latent.tolist()))
