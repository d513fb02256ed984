"""Drawing: walls of seeds, single faces, sheets of any faces."""

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from anime_dcgan.explore.face import Face
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.studio import pictures, schemas
from anime_dcgan.studio.context import QueryFace, Studio, StudioHere, to_faces

router = APIRouter(tags=["faces"])

PNG = {200: {"content": {"image/png": {}}}, 304: {"description": "as known"}}
Count = Annotated[int, Query(ge=1, le=schemas.MOST_ON_SHEET)]


class Png(Response):
    media_type = "image/png"


@router.get(
    "/api/wall.png",
    response_class=Png,
    responses={**PNG, **schemas.problems(400, 404, 503)},
)
async def wall(
    studio: StudioHere, request: Request, like: QueryFace, count: Count = 64, columns: Count = 8
) -> Response:
    """The faces of the seeds from `seed` on, edge to edge, in their own size."""
    seed = like.seed or 0
    count = min(count, MAX_SEED + 1 - seed)
    return await _answer(
        studio,
        request,
        like,
        lambda: pictures.sprite(studio.renderer.wall(like, seed, count), columns),
    )


@router.get(
    "/api/face.png",
    response_class=Png,
    responses={**PNG, **schemas.problems(400, 404, 503)},
)
async def face(
    studio: StudioHere,
    request: Request,
    face: QueryFace,
    scale: schemas.Scale = 1,
    download: bool = False,
) -> Response:
    """One face; its metadata name the face and, in a download, its story if it has one."""

    def draw() -> bytes:
        kept = studio.store.find(face) if download else None
        pixels = studio.renderer.draw([face])[0]
        return pictures.portrait(pixels, face, kept.story if kept else "", scale)

    if download:
        name = f"face-{hashlib.sha256(face.to_query().encode()).hexdigest()[:12]}.png"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Png(await studio.draw(draw), headers=headers)
    return await _answer(studio, request, face, draw)


@router.post(
    "/api/sheet.png",
    response_class=Png,
    responses={200: PNG[200], **schemas.problems(400, 404, 503)},
)
async def sheet(studio: StudioHere, wanted: schemas.SheetRequest) -> Response:
    """Any faces of one size on a sheet."""
    faces = to_faces(wanted.faces)
    content = await studio.draw(
        lambda: pictures.grid(
            studio.renderer.draw(faces), wanted.columns, wanted.scale, wanted.padding
        )
    )
    return Png(content)


async def _answer(
    studio: Studio, request: Request, face: Face, draw: Callable[[], bytes]
) -> Response:
    """The picture, unless the browser has it: it is the same as long as its checkpoint is."""
    state = studio.renderer.checkpoint(face.run, face.epoch).stat()
    words = f"{request.url.query} {state.st_mtime_ns} {state.st_size}"
    tag = f'"{hashlib.sha256(words.encode()).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Png(await studio.draw(draw), headers=headers)
