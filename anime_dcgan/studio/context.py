"""What the routes work with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, HTTPException, Query, Request

from anime_dcgan.explore.face import Face, moves_from_text
from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.run.runs import Weights
from anime_dcgan.studio import schemas
from anime_dcgan.studio.jobs import JobQueue
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.render_queue import RenderQueue
from anime_dcgan.studio.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Studio:
    """The parts of a running studio."""

    renderer: Renderer
    library: Library
    store: Store
    gate: RenderQueue
    jobs: JobQueue

    async def draw(self, work: Callable[[], T]) -> T:
        """`work`, in the thread that draws, when it is its turn."""
        return await self.gate.run(work)


def _studio(request: Request) -> Studio:
    return request.app.state.studio


StudioHere = Annotated[Studio, Depends(_studio)]


def query_face(
    run: schemas.RunName,
    epoch: schemas.Epoch,
    weights: Weights = "ema",
    seed: schemas.Seed | None = None,
    latent: Annotated[str | None, Query(max_length=schemas.LONGEST_LATENT)] = None,
    truncation: schemas.Truncation = 1.0,
    moves: Annotated[str, Query(max_length=2000, examples=["sefa.0:1.5,pca.3:-2"])] = "",
) -> Face:
    """The face that a link names."""
    return Face(run, epoch, weights, seed, latent, truncation, moves_from_text(moves))


QueryFace = Annotated[Face, Depends(query_face)]


def to_faces(models: list[schemas.FaceModel]) -> list[Face]:
    return [model.to_face() for model in models]


def one_generator(faces: list[Face]) -> None:
    """Raise where faces come from several generators, whose latents have nothing in common."""
    if len({face.generator for face in faces}) > 1:
        raise HTTPException(
            400, "these faces come from different generators: choose faces of one run and epoch"
        )
