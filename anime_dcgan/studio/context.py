"""Shared state and dependencies of the routes."""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Annotated, TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import Depends, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore import parts
from anime_dcgan.explore.directions import Method, method_of, of_one_label
from anime_dcgan.explore.face import Face, GeneratorId, parse_mix, parse_moves
from anime_dcgan.explore.kept import KeptGenerators
from anime_dcgan.explore.model import Model, Pixels
from anime_dcgan.explore.renderer import Renderer, same_size
from anime_dcgan.sampling.layers import parse_layers
from anime_dcgan.studio import pictures, saved_schemas, schemas
from anime_dcgan.studio.jobs import JobQueue
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.measurements import Measurements
from anime_dcgan.studio.picture_cache import PictureCache
from anime_dcgan.studio.render_queue import RenderQueue
from anime_dcgan.studio.sliders import Sliders
from anime_dcgan.studio.store import SavedFace, Store
from anime_dcgan.system.errors import NotFoundError
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
    measurements: Measurements
    sliders: Sliders
    previews: PictureCache
    uploads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

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

    async def prepare(self, faces: Sequence[Face]) -> None:
        """Find the directions that faces move along, which would hold up the drawing thread."""
        needed: set[tuple[GeneratorId, Method]] = {
            (face.generator, method_of(name)) for face in faces for name in face.moves
        }
        for generator, method in needed:
            if (generator.digest, method) in self.renderer.known_directions:
                continue
            with contextlib.suppress(NotFoundError):  # drawing the face reports it
                model = await self.render(partial(self.renderer.model, *generator))
                await self.sliders.directions(model, method)

    def draw(self, faces: Sequence[Face]) -> Pixels:
        """Return the pictures of faces of equal size; stored ones where a generator is gone."""
        drawn: list[np.ndarray] = []
        for can_draw, some in groupby(faces, lambda face: self.renderer.can_draw(face.generator)):
            group = list(some)
            drawn.extend(self.renderer.render(group) if can_draw else map(self._stored, group))
        return same_size([pixels[None] for pixels in drawn])

    def sketch(self, faces: Sequence[Face]) -> Pixels:
        """Return the pictures of faces as `draw` does; those of one generator faster, if it can.

        See `Renderer.sketch`.
        """
        first = faces[0]
        is_alike = all(
            (face.generator, face.truncation) == (first.generator, first.truncation)
            for face in faces
        )
        if is_alike and self.renderer.can_draw(first.generator):
            return self.renderer.sketch(faces)
        return self.draw(faces)

    def _stored(self, face: Face) -> np.ndarray:
        png = self.store.picture(face)
        if png is None:
            return self.renderer.render([face])[0]  # raises: its generator is gone
        return pictures.pixels(png)

    def colours(self, model: Model) -> "Future[np.ndarray] | None":
        """Return the directions of a generator's colours, which are found in the background.

        None where its style layers tell colours from shapes. Raises `MeasurementsFullError`.
        """
        if not parts.needs_colours(model.space):
            return None
        generator = of_one_label(model.generator)
        fast = self.renderer.fast_walls
        return self.measurements.get(
            _name_of_colours(model),
            lambda report: parts.find_colours(generator, report, fast).numpy(),
        )

    def colours_progress(self, model: Model) -> float:
        return self.measurements.progress(_name_of_colours(model))

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

    async def render(
        self, work: Callable[[], T], always: bool = False, is_urgent: bool = True
    ) -> T:
        """Run `work` on the rendering thread and return its result.

        Work is dropped when its visitor has gone, unless `always`: changes must not be lost. It
        waits for all other work unless `is_urgent`.
        """
        return await self.render_queue.run(work, always, is_urgent)

    async def read_upload(self, read: Callable[[], T]) -> T:
        """Run `read` on a thread, one upload at a time: each may take hundreds of megabytes."""
        return await to_thread.run_sync(read, limiter=self.uploads)


def _name_of_colours(model: Model) -> str:
    return f"colours-{model.digest}"


def _studio(request: Request) -> Studio:
    return request.app.state.studio


StudioDep = Annotated[Studio, Depends(_studio)]


def query_generator(
    run: schemas.RunName,
    epoch: schemas.Epoch,
    weights: schemas.WeightsName = "ema",
    digest: Annotated[
        schemas.Digest | None, Query(description="digest of the weights, as saved faces have it")
    ] = None,
) -> GeneratorId:
    """Return the generator given by query parameters."""
    return GeneratorId(run, epoch, weights, digest)


GeneratorDep = Annotated[GeneratorId, Depends(query_generator)]


def query_face(
    generator: GeneratorDep,
    seed: Annotated[schemas.Seed | None, Query(description="seed of the latent")] = None,
    latent: Annotated[
        str | None,
        Query(
            max_length=schemas.MAX_LATENT_LENGTH,
            description="the latent itself, float32 as base64url, instead of a seed",
        ),
    ] = None,
    truncation: schemas.Truncation = 1.0,
    moves: Annotated[
        str,
        Query(
            max_length=4000,
            examples=["sefa.0:1.5,pca.3:-2"],
            description="steps along directions, in standard deviations",
        ),
    ] = "",
    mix: Annotated[
        str,
        Query(
            max_length=2 * schemas.MAX_LATENT_LENGTH,
            examples=["0-3:17"],
            description="other parents of style layers: seeds, or latents after `latent.`",
        ),
    ] = "",
    label: Annotated[schemas.Label | None, Query(description="class of a run with labels")] = None,
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
    same = [replace(face, **faces[0].generator._asdict()) for face in faces]
    await studio.prepare(same)
    return same
