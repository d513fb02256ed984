"""Routes that render faces: walls of seeds, single faces and sheets."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from anime_dcgan.explore.face import Face
from anime_dcgan.sampling.sample import Pixels
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.sampling.upscale import Upscaler
from anime_dcgan.studio import pictures, schemas
from anime_dcgan.studio.context import FaceDep, Studio, StudioDep, to_faces

router = APIRouter(tags=["faces"])

PNG = {200: {"content": {"image/png": {}}}, 304: {"description": "not modified"}}
Count = Annotated[int, Query(ge=1, le=schemas.MAX_SHEET_FACES)]


class Png(Response):
    media_type = "image/png"


@router.get(
    "/api/wall.png",
    response_class=Png,
    responses={**PNG, **schemas.problems(400, 404, 503)},
)
async def wall(
    studio: StudioDep, request: Request, template: FaceDep, count: Count = 64, columns: Count = 8
) -> Response:
    """Render the faces of consecutive seeds, starting at `seed`, edge to edge at their own size."""
    seed = template.seed or 0
    count = min(count, MAX_SEED + 1 - seed)
    return await _cached_picture(
        studio,
        request,
        template,
        lambda resolved: studio.render(
            lambda: pictures.sprite(studio.renderer.wall(resolved, seed, count), columns)
        ),
    )


@router.get(
    "/api/face.png",
    response_class=Png,
    responses={**PNG, **schemas.problems(400, 404, 503)},
)
async def face(
    studio: StudioDep,
    request: Request,
    face: FaceDep,
    scale: schemas.Scale = 1,
    upscale: schemas.Upscale = 1,
    download: bool = False,
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
        name = f"face-{hashlib.sha256(face.to_query().encode()).hexdigest()[:12]}.png"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Png(await render(await run_in_threadpool(studio.resolve, face)), headers=headers)
    return await _cached_picture(studio, request, face, render)


@router.post(
    "/api/sheet.png",
    response_class=Png,
    responses={200: PNG[200], **schemas.problems(400, 404, 503)},
)
async def sheet(studio: StudioDep, body: schemas.SheetRequest) -> Response:
    """Render any faces of equal size on one sheet."""
    faces = to_faces(body.faces)
    content = await studio.render(
        lambda: pictures.grid(studio.draw(faces), body.columns, body.scale, body.padding)
    )
    return Png(content)


async def _cached_picture(
    studio: Studio, request: Request, face: Face, render: Callable[[Face], Awaitable[bytes]]
) -> Response:
    """Return the picture, or 304 if the browser has it and its generator is the same.

    The headers name the generator that drew it, so that the page can keep this very face.
    """
    resolved = await run_in_threadpool(studio.resolve, face)
    key = f"{request.url.query} {resolved.digest}"
    tag = f'"{hashlib.sha256(key.encode()).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if resolved.digest is not None:
        headers |= {"x-digest": resolved.digest, "x-epoch": resolved.epoch}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Png(await render(resolved), headers=headers)
