"""Shared state and dependencies of the routes."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Annotated, TypeVar

import numpy as np
from fastapi import Depends, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore.face import Face, GeneratorId, parse_mix, parse_moves
from anime_dcgan.explore.kept import KeptGenerators
from anime_dcgan.explore.model import Pixels
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling.layers import parse_layers
from anime_dcgan.studio import pictures, saved_schemas, schemas
from anime_dcgan.studio.jobs import JobQueue
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.render_queue import RenderQueue
from anime_dcgan.studio.store import SavedFace, Store
from anime_dcgan.system.errors import NotFoundError, UserError
from anime_dcgan.system.files import write_or_warn

T = TypeVar("T")


@dataclass(frozen=True)
class Studio:
    """The components of a running studio."""

    renderer: Renderer
    kept: KeptGenerators
    library: Library
    store: Store
    render_queue: RenderQueue
    jobs: JobQueue

    def saved_model(self, saved: SavedFace) -> saved_schemas.SavedModel:
        drawable = self.renderer.can_draw(saved.face.generator)
        return saved_schemas.SavedModel.of(saved, drawable)

    def resolve(self, face: Face) -> Face:
        """Return the face with the digest of its generator and the number of its epoch.

        One whose generator is gone is returned unchanged if its picture is stored.
        """
        try:
            return self.renderer.resolve(face)
        except NotFoundError:
            if self.store.picture(face) is None:
                raise
            return face

    def draw(self, faces: Sequence[Face]) -> Pixels:
        """Return the pictures of faces of equal size; stored ones where a generator is gone."""
        drawn: list[np.ndarray] = []
        for can_draw, some in groupby(faces, lambda face: self.renderer.can_draw(face.generator)):
            group = list(some)
            drawn.extend(self.renderer.render(group) if can_draw else map(self._stored, group))
        if len({pixels.shape for pixels in drawn}) > 1:
            raise UserError("these faces differ in size: render each size separately")
        return np.stack(drawn)

    def _stored(self, face: Face) -> np.ndarray:
        png = self.store.picture(face)
        if png is None:
            return self.renderer.render([face])[0]  # raises: its generator is gone
        return pictures.pixels(png)

    def keep_generator(self, face: Face) -> None:
        """Store the generator of a face that is being saved, if there is one."""
        with contextlib.suppress(NotFoundError):
            model = self.renderer.model(*face.generator)
            kept = self.kept
            write_or_warn(
                lambda: kept.keep(model),
                kept.path(model.digest),
                f"the faces of {face.run} can be drawn only as long as that run exists",
            )

    async def render(self, work: Callable[[], T]) -> T:
        """Run `work` on the rendering thread and return its result."""
        return await self.render_queue.run(work)


def _studio(request: Request) -> Studio:
    return request.app.state.studio


StudioDep = Annotated[Studio, Depends(_studio)]


def query_generator(
    run: schemas.RunName,
    epoch: schemas.Epoch,
    weights: Weights = "ema",
    digest: schemas.Digest | None = None,
) -> GeneratorId:
    """Return the generator given by query parameters."""
    return GeneratorId(run, epoch, weights, digest)


GeneratorDep = Annotated[GeneratorId, Depends(query_generator)]


def query_face(
    generator: GeneratorDep,
    seed: schemas.Seed | None = None,
    latent: Annotated[str | None, Query(max_length=schemas.MAX_LATENT_LENGTH)] = None,
    truncation: schemas.Truncation = 1.0,
    moves: Annotated[str, Query(max_length=4000, examples=["sefa.0:1.5,pca.3:-2"])] = "",
    mix: Annotated[str, Query(max_length=2 * schemas.MAX_LATENT_LENGTH, examples=["0-3:17"])] = "",
    label: schemas.Label | None = None,
) -> Face:
    """Return the face given by the query parameters of a link."""
    moved, mixed = parse_moves(moves), parse_mix(mix)
    return Face(*generator, seed, latent, truncation, moved, mixed, label)


FaceDep = Annotated[Face, Depends(query_face)]


def to_faces(models: list[schemas.FaceModel]) -> list[Face]:
    return [model.to_face() for model in models]


def to_layers(text: str | None) -> range | None:
    return None if text is None else parse_layers("layers", text)


async def same_generator(studio: Studio, models: list[schemas.FaceModel]) -> list[Face]:
    """Return faces of one generator, with its digest; raise an HTTP 400 error if they differ."""

    def resolve() -> list[Face]:
        return [studio.renderer.resolve(face) for face in to_faces(models)]

    faces = await run_in_threadpool(resolve)
    if len({face.digest for face in faces}) > 1:
        raise HTTPException(
            400, "these faces come from different generators: choose faces of one run and epoch"
        )
    return [replace(face, **faces[0].generator._asdict()) for face in faces]
