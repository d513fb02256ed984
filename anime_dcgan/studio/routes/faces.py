"""Routes that render faces: walls of seeds, single faces and sheets."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore.face import Face
from anime_dcgan.explore.renderer import same_size
from anime_dcgan.sampling.sample import BLOCK, Pixels
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.sampling.upscale import Upscaler
from anime_dcgan.studio import pictures, schemas
from anime_dcgan.studio.context import FaceDep, StudioDep, to_faces
from anime_dcgan.studio.file_names import face_name
from anime_dcgan.studio.responses import PNG, Png, face_picture

router = APIRouter(tags=["faces"])

Count = Annotated[int, Query(ge=1, le=schemas.MAX_SHEET_FACES, description="number of faces")]
Columns = Annotated[int, Query(ge=1, le=schemas.MAX_SHEET_FACES, description="faces in a row")]


@router.get(
    "/api/wall.png",
    response_class=Png,
    responses={**PNG, **schemas.problems(400, 404, 503)},
)
async def draw_wall(
    studio: StudioDep, request: Request, template: FaceDep, count: Count = 64, columns: Columns = 8
) -> Response:
    """Render the faces of consecutive seeds, starting at `seed`, edge to edge at their own size."""
    seed = template.seed or 0
    count = min(count, MAX_SEED + 1 - seed)

    async def render(template: Face) -> bytes:
        faces = [
            await studio.render(partial(studio.renderer.wall, template, first, number))
            for first, number in _blocks(seed, count)
        ]
        return await run_in_threadpool(lambda: pictures.sprite(np.concatenate(faces), columns))

    return await face_picture(studio, request, template, render)


@router.get(
    "/api/face.png",
    response_class=Png,
    responses={**PNG, **schemas.problems(400, 404, 503)},
)
async def draw_face(
    studio: StudioDep,
    request: Request,
    face: FaceDep,
    scale: schemas.Scale = 1,
    upscale: schemas.Upscale = 1,
    download: Annotated[
        bool, Query(description="save under a name, with the story in the metadata")
    ] = False,
) -> Response:
    """Render one face as a PNG whose metadata describe it; a download includes its story.

    `scale` repeats pixels. `upscale` enlarges the face by the network that `/api/state` names, or
    by Lanczos where it is not installed. If the generator is gone, this is the picture that was
    stored when the face was saved.
    """
    if scale * upscale > schemas.MAX_SCALE:
        raise HTTPException(
            400, f"scale times upscale can be at most {schemas.MAX_SCALE}: use a smaller scale"
        )
    upscaler = Upscaler(upscale)

    def write(pixels: Pixels, face: Face) -> bytes:
        saved = studio.store.find(face) if download else None
        (enlarged,) = upscaler([pixels])
        return pictures.portrait(enlarged, face, saved.story if saved else "", scale)

    async def render(face: Face) -> bytes:
        pixels = await studio.render(lambda: studio.draw([face])[0])
        return await run_in_threadpool(write, pixels, face)  # others' faces are drawn meanwhile

    if download:
        headers = {"content-disposition": f'attachment; filename="{face_name(face)}.png"'}
        return Png(await render(await run_in_threadpool(studio.resolve, face)), headers=headers)
    return await face_picture(studio, request, face, render)


@router.post(
    "/api/sheet.png",
    response_class=Png,
    responses={200: PNG[200], **schemas.problems(400, 404, 503)},
)
async def draw_sheet(studio: StudioDep, body: schemas.SheetRequest) -> Response:
    """Render any faces of equal size on one sheet."""
    faces = await run_in_threadpool(to_faces, body.faces)
    await studio.prepare(faces)
    draw = studio.sketch if body.fast else studio.draw
    batches = [faces[first : first + BLOCK] for first in range(0, len(faces), BLOCK)]
    drawn = [await studio.render(partial(draw, batch)) for batch in batches]

    def arrange() -> bytes:
        return pictures.grid(same_size(drawn), body.columns, body.scale, body.padding)

    return Png(await run_in_threadpool(arrange))


def _blocks(seed: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield the first seed and the number of seeds of each block of the wall.

    Other visitors have their turn between two blocks.
    """
    end = seed + count
    while seed < end:
        number = min(end - seed, BLOCK - seed % BLOCK)
        yield seed, number
        seed += number
