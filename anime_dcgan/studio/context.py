"""Shared state and dependencies of the routes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, HTTPException, Query, Request

from anime_dcgan.explore.face import Face, parse_mix, parse_moves
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling.layers import parse_layers
from anime_dcgan.studio import schemas
from anime_dcgan.studio.jobs import JobQueue
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.render_queue import RenderQueue
from anime_dcgan.studio.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Studio:
    """The components of a running studio."""

    renderer: Renderer
    library: Library
    store: Store
    render_queue: RenderQueue
    jobs: JobQueue

    async def render(self, work: Callable[[], T]) -> T:
        """Run `work` on the rendering thread and return its result."""
        return await self.render_queue.run(work)


def _studio(request: Request) -> Studio:
    return request.app.state.studio


StudioDep = Annotated[Studio, Depends(_studio)]


def query_face(
    run: schemas.RunName,
    epoch: schemas.Epoch,
    weights: Weights = "ema",
    seed: schemas.Seed | None = None,
    latent: Annotated[str | None, Query(max_length=schemas.MAX_LATENT_LENGTH)] = None,
    truncation: schemas.Truncation = 1.0,
    moves: Annotated[str, Query(max_length=4000, examples=["sefa.0:1.5,pca.3:-2"])] = "",
    mix: Annotated[str, Query(max_length=2 * schemas.MAX_LATENT_LENGTH, examples=["0-3:17"])] = "",
    label: schemas.Label | None = None,
) -> Face:
    """Return the face given by the query parameters of a link."""
    moved, mixed = parse_moves(moves), parse_mix(mix)
    return Face(run, epoch, weights, seed, latent, truncation, moved, mixed, label)


FaceDep = Annotated[Face, Depends(query_face)]


def to_faces(models: list[schemas.FaceModel]) -> list[Face]:
    return [model.to_face() for model in models]


def to_layers(text: str | None) -> range | None:
    return None if text is None else parse_layers("layers", text)


def require_same_generator(faces: list[Face]) -> None:
    """Raise an HTTP 400 error unless all faces come from the same generator."""
    if len({face.generator for face in faces}) > 1:
        raise HTTPException(
            400, "these faces come from different generators: choose faces of one run and epoch"
        )
