"""Routes for runs, and the state of the studio."""

import hashlib
import importlib.util
from typing import Annotated

from fastapi import APIRouter, Header, Response

import anime_dcgan
from anime_dcgan.sampling.upscale import network_name
from anime_dcgan.studio import run_schemas, schemas, security
from anime_dcgan.studio.context import StudioDep

router = APIRouter(tags=["runs"])


@router.get("/api/state")
def state(studio: StudioDep) -> schemas.State:
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
def list_runs(studio: StudioDep, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """List all runs, most recently updated first; 304 if the ETag still matches."""
    runs = [run_schemas.RunModel.of(run) for run in studio.library.runs()]
    content = run_schemas.Runs(runs=runs).model_dump_json()
    tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get("/api/run", responses=schemas.problems(400, 404))
def run_details(studio: StudioDep, run: schemas.RunName) -> run_schemas.RunDetailsModel:
    """Return one run with its curves and configuration."""
    return run_schemas.RunDetailsModel.of_details(studio.library.details(run))
