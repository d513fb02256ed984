"""Long work: films, archives of many faces, the latent of a picture."""

import io
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from fastapi import APIRouter, File, Form, HTTPException, Response, UploadFile
from fastapi.responses import FileResponse
from PIL import Image
from starlette.concurrency import run_in_threadpool

from anime_dcgan.data.decoding import decode
from anime_dcgan.explore import projection
from anime_dcgan.explore.face import Face
from anime_dcgan.explore.renderer import Renderer, face_of_latent
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling import image, sample
from anime_dcgan.studio import pictures, schemas
from anime_dcgan.studio.context import Studio, StudioHere, one_generator, to_faces
from anime_dcgan.studio.jobs import Job
from anime_dcgan.system.errors import UserError, first_line

router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=schemas.problems(400, 404, 429))

AT_A_TIME = 16


@router.post("/film", status_code=202)
def film(studio: StudioHere, wanted: schemas.FilmRequest) -> schemas.JobModel:
    """A film through faces and back to the first one."""
    faces = to_faces(wanted.faces)
    one_generator(faces)
    if len(faces) * wanted.frames_per_face > schemas.MOST_FRAMES:
        most = schemas.MOST_FRAMES
        raise HTTPException(400, f"a film has at most {most} frames: fewer faces, or fewer between")
    studio.renderer.checkpoint(faces[0].run, faces[0].epoch)

    def work(job: Job) -> None:
        path = job.folder / f"film.{wanted.format}"
        frames = _frames(studio.renderer, faces, wanted.frames_per_face, wanted.scale, job)
        sample.write_film(frames, path, wanted.frames_per_second)
        job.file = path

    return schemas.JobModel.of(studio.jobs.submit("film", work))


@router.post("/zip", status_code=202)
def archive(studio: StudioHere, wanted: schemas.ZipRequest) -> schemas.JobModel:
    """Many faces as PNGs in one archive, each with its metadata."""
    faces = _wanted_faces(wanted)
    studio.renderer.checkpoint(faces[0].run, faces[0].epoch)

    def work(job: Job) -> None:
        path = job.folder / "faces.zip"
        names = (_name(number, face) for number, face in enumerate(faces))
        sample.write_archive(_portraits(studio.renderer, faces, job), names, path)
        job.file = path

    return schemas.JobModel.of(studio.jobs.submit("zip", work))


@router.post("/projection", status_code=202)
async def project(
    studio: StudioHere,
    file: Annotated[UploadFile, File(description="a picture of a face")],
    run: Annotated[schemas.RunName, Form()],
    epoch: Annotated[schemas.Epoch, Form()],
    weights: Annotated[Weights, Form()] = "ema",
    steps: Annotated[int, Form(ge=1, le=2000)] = 300,
) -> schemas.JobModel:
    """The latent whose face comes nearest to a picture."""
    like = Face(run, epoch, weights, seed=0)
    size = await studio.draw(lambda: studio.renderer.draw([like]).shape[1])
    picture = await run_in_threadpool(_decode, await file.read(), size)

    def work(job: Job) -> None:
        generator = studio.renderer.model(*like.generator).generator
        target = image.to_float(torch.from_numpy(np.array(picture))[None])[0]
        for found in projection.project(generator, target, steps):
            job.at(found.step, steps)
            job.face = face_of_latent(like, found.latent)
            job.detail = f"distance {found.distance:.3f}"

    job = studio.jobs.submit("projection", work, target=image.to_png(picture))
    return schemas.JobModel.of(job)


@router.get("/{job_id}")
def progress(studio: StudioHere, job_id: str) -> schemas.JobModel:
    """How far it is."""
    return schemas.JobModel.of(_job(studio, job_id))


@router.delete("/{job_id}", status_code=204)
def cancel(studio: StudioHere, job_id: str) -> None:
    """End it, or forget it with its file where it is over."""
    studio.jobs.cancel(_job(studio, job_id))


@router.get("/{job_id}/target.png", response_class=Response)
def target(studio: StudioHere, job_id: str) -> Response:
    """The picture as the projection sees it."""
    content = _job(studio, job_id).target
    if content is None:
        raise HTTPException(404, "this job has no picture")
    return Response(content, media_type="image/png")


@router.get("/{job_id}/file", response_class=FileResponse)
def download(studio: StudioHere, job_id: str) -> FileResponse:
    """What it made."""
    job = _job(studio, job_id)
    if job.state != "done" or job.file is None:
        raise HTTPException(404, "this job has no file, or not yet")
    return FileResponse(job.file, filename=job.file.name)


def _job(studio: Studio, job_id: str) -> Job:
    job = studio.jobs.get(job_id)
    if job is None:
        raise HTTPException(404, "there is no such job, or not any more")
    return job


def _decode(content: bytes, size: int) -> Image.Image:
    try:
        return decode(io.BytesIO(content), size)
    except Exception as error:  # whatever Pillow raises
        raise UserError(f"this file is no picture that can be read: {first_line(error)}") from None


def _wanted_faces(wanted: schemas.ZipRequest) -> list[Face]:
    if wanted.faces is not None:
        return to_faces(wanted.faces)
    if wanted.run is None or wanted.epoch is None:
        raise HTTPException(400, "an archive needs faces, or run and epoch")
    return [
        Face(wanted.run, wanted.epoch, wanted.weights, seed, None, wanted.truncation, wanted.moves)
        for seed in range(wanted.seed, wanted.seed + wanted.count)
    ]


def _name(number: int, face: Face) -> str:
    return f"{number:05d}.png" if face.seed is None else f"{number:05d}-seed={face.seed}.png"


def _portraits(renderer: Renderer, faces: list[Face], job: Job) -> Iterator[bytes]:
    for start in range(0, len(faces), AT_A_TIME):
        some = faces[start : start + AT_A_TIME]
        for face, pixels in zip(some, renderer.draw(some), strict=True):
            yield pictures.portrait(pixels, face, "")
        job.at(start + len(some), len(faces))


def _frames(
    renderer: Renderer, faces: list[Face], frames_per_face: int, scale: int, job: Job
) -> Iterator[np.ndarray]:
    generator = renderer.model(*faces[0].generator).generator
    frames = sample.film_through(generator, renderer.latents(faces), frames_per_face)
    for number, pixels in enumerate(frames, 1):
        yield pixels.repeat(scale, axis=0).repeat(scale, axis=1)
        job.at(number, len(faces) * frames_per_face)
