"""Runs and their epochs."""

import hashlib
import importlib.util
from typing import Annotated

from fastapi import APIRouter, Header, Response

import anime_dcgan
from anime_dcgan.studio import schemas, security
from anime_dcgan.studio.context import StudioHere
from anime_dcgan.studio.library import Details

router = APIRouter(tags=["runs"])


@router.get("/api/state")
def state(studio: StudioHere) -> schemas.State:
    """What this studio is and can."""
    return schemas.State(
        version=anime_dcgan.__version__,
        outputs=str(studio.library.outputs),
        limits=schemas.Limits(upload=security.LARGEST_UPLOAD),
        mp4=importlib.util.find_spec("imageio_ffmpeg") is not None,
    )


@router.get("/api/runs", response_model=schemas.Runs, responses={304: {"description": "as known"}})
def runs(studio: StudioHere, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """All runs, the last written first. Ask again with the ETag: 304 where nothing changed."""
    found = schemas.Runs(runs=studio.library.runs())
    content = found.model_dump_json()
    tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get("/api/run", responses=schemas.problems(400, 404))
def run(studio: StudioHere, run: schemas.RunName) -> Details:
    """One run with the course of its distance."""
    return studio.library.details(run)
