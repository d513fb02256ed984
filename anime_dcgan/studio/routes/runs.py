"""Routes for runs, and the state of the studio."""

import hashlib
import importlib.util
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

import anime_dcgan
from anime_dcgan.explore.face import Face
from anime_dcgan.sampling.upscale import network_name
from anime_dcgan.studio import pictures, run_schemas, schemas, security
from anime_dcgan.studio.context import StudioDep
from anime_dcgan.studio.responses import PNG, Png, cached_picture

router = APIRouter(tags=["runs"])

PREVIEW_FACES = 8


@router.get("/api/state")
def get_state(studio: StudioDep) -> schemas.State:
    """Return the version, limits and optional features of this studio."""
    return schemas.State(
        version=anime_dcgan.__version__,
        outputs=str(studio.library.outputs),
        limits=schemas.Limits(upload=security.MAX_UPLOAD_BYTES),
        upscaler=network_name(),
        mp4=importlib.util.find_spec("imageio_ffmpeg") is not None,
        unsaved=studio.store.unsaved,
    )


@router.get(
    "/api/runs",
    response_model=run_schemas.Runs,
    responses={304: {"description": "not modified"}},
)
def list_runs(
    studio: StudioDep,
    if_none_match: Annotated[str | None, Header(description="ETag of the list before")] = None,
) -> Response:
    """List all runs, most recently updated first; 304 if the ETag still matches."""
    content = run_schemas.Runs(runs=studio.library.runs()).model_dump_json()
    tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get(
    "/api/run/preview.png",
    response_class=Png,
    responses={**PNG, **schemas.problems(400, 404, 503)},
)
async def draw_preview(
    studio: StudioDep, request: Request, run: schemas.RunName, epoch: schemas.Epoch
) -> Response:
    """Return the first faces of a run as one picture, kept on disk; all other work goes first."""
    template = Face(run, epoch, "ema", seed=0)
    state = await run_in_threadpool(studio.renderer.state, template)

    async def render() -> bytes:
        picture = await run_in_threadpool(studio.previews.get, state)
        if picture is None:
            draw = partial(studio.renderer.preview, template, PREVIEW_FACES)
            faces = await studio.render(draw, is_urgent=False)
            picture = pictures.sprite(faces, PREVIEW_FACES // 2)
            await run_in_threadpool(studio.previews.put, state, picture)
        return picture

    return await cached_picture(request, state, render)


@router.get("/api/run", responses=schemas.problems(400, 404))
def get_run(studio: StudioDep, run: schemas.RunName) -> run_schemas.RunDetailsModel:
    """Return one run with its curves and configuration."""
    return run_schemas.RunDetailsModel.of_details(studio.library.details(run))
