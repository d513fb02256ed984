"""Routes for background jobs: films, zip archives and projections of pictures."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, BinaryIO

import numpy as np
import torch
from fastapi import APIRouter, File, Form, HTTPException, Path, Response, UploadFile
from fastapi.responses import FileResponse
from PIL import Image
from starlette.concurrency import run_in_threadpool

from anime_dcgan.data.decoding import decode
from anime_dcgan.data.source import Unreadable
from anime_dcgan.explore import projection
from anime_dcgan.explore.face import Face
from anime_dcgan.explore.parents import Parents, face_from_latent
from anime_dcgan.explore.projection import Variables
from anime_dcgan.sampling import image, sample
from anime_dcgan.sampling.film import write_film
from anime_dcgan.studio import pictures, schemas
from anime_dcgan.studio.context import (
    Studio,
    StudioDep,
    same_generator,
    to_faces,
    to_layers,
)
from anime_dcgan.studio.file_names import face_name, film_name
from anime_dcgan.studio.job_schemas import JobModel
from anime_dcgan.studio.jobs import Found, Job
from anime_dcgan.studio.responses import BINARY, PNG, Png
from anime_dcgan.system.errors import UserError, first_line

router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=schemas.problems(400, 404, 429))

JobId = Annotated[str, Path(max_length=64, description="id of a job")]
BATCH_SIZE = 16  # faces rendered between two progress reports


@router.post("/film", status_code=202)
async def create_film(studio: StudioDep, body: schemas.FilmRequest) -> JobModel:
    """Render a film that interpolates through the faces and back to the first."""
    faces = await same_generator(studio, body.faces)
    if len(faces) * body.frames_per_face > schemas.MAX_FILM_FRAMES:
        limit = schemas.MAX_FILM_FRAMES
        raise HTTPException(
            400, f"a film can have at most {limit} frames: use fewer faces or frames_per_face"
        )
    layers = to_layers(body.layers)

    def work(job: Job) -> None:
        path = job.folder / f"{film_name(faces)}.{body.format}"
        frames = _frames(studio.renderer.parents(faces, layers), body, job)
        write_film(frames, path, body.frames_per_second)
        job.file = path

    return JobModel.of(await run_in_threadpool(studio.jobs.submit, "film", work))


@router.post("/zip", status_code=202)
def create_zip(studio: StudioDep, body: schemas.ZipRequest) -> JobModel:
    """Render many faces into a zip of PNGs, each with its metadata."""
    faces = _requested_faces(body)
    if body.faces is None:
        generator = studio.resolve(faces[0]).generator
        faces = [replace(face, **generator._asdict()) for face in faces]
    else:
        faces = [studio.resolve(face) for face in faces]

    def work(job: Job) -> None:
        path = job.folder / f"{film_name(faces)}.zip"
        names = (_file_name(number, face) for number, face in enumerate(faces))
        sample.write_archive(_portraits(studio, faces, job), names, path)
        job.file = path

    return JobModel.of(studio.jobs.submit("zip", work))


@router.post("/projection", status_code=202)
async def create_projection(
    studio: StudioDep,
    file: Annotated[UploadFile, File(description="picture of a face")],
    run: Annotated[schemas.RunName, Form()],
    epoch: Annotated[schemas.Epoch, Form()],
    weights: Annotated[schemas.WeightsName, Form()] = "ema",
    digest: Annotated[schemas.Digest | None, Form()] = None,
    steps: Annotated[int, Form(ge=1, le=2000)] = 300,
    variables: Annotated[list[Variables] | None, Form(max_length=3)] = None,
    label: Annotated[schemas.Label | None, Form()] = None,
) -> JobModel:
    """Find the latent, style or styles of all layers whose face is nearest to an uploaded picture.

    Several `variables` are tried one after the other. The default is the style where a mapping
    network computes it, and the latent otherwise. Without a `label`, that of the nearest
    random face is taken.
    """
    template = await run_in_threadpool(
        studio.renderer.resolve, Face(run, epoch, weights, digest, seed=0, label=label)
    )
    size = await studio.render(lambda: studio.renderer.render([template]).shape[1])
    picture, png = await studio.read_upload(lambda: _decode(file.file, size))
    space = await studio.render(lambda: studio.renderer.model(*template.generator).space)
    kinds: list[Variables] = variables or ["style" if space.has_mapping else "latent"]
    for each in kinds:
        projection.check_variables(space, each)
    kinds = list(dict.fromkeys(kinds))

    def work(job: Job) -> None:
        labelled = studio.renderer.model(*template.generator).of_label(label)
        target = image.to_float(torch.from_numpy(np.array(picture))[None])[0]
        generator = projection.with_nearest_label(labelled, target)
        for number, each in enumerate(kinds):
            for best in projection.project(generator, target, steps, variables=each):
                job.report_progress(number * steps + best.step, len(kinds) * steps)
                face = face_from_latent(template, projection.face_values(generator, best))
                job.found = {**job.found, each: Found(face, best.distance)}
                job.detail = f"distance {best.distance:.3f}"

    return JobModel.of(await run_in_threadpool(studio.jobs.submit, "projection", work, png, kinds))


@router.get("/{job_id}")
def get_job(studio: StudioDep, job_id: JobId) -> JobModel:
    """Return the state and progress of a job."""
    return JobModel.of(_find_job(studio, job_id))


@router.delete("/{job_id}", status_code=204)
def cancel_job(studio: StudioDep, job_id: JobId) -> None:
    """Cancel a job, or delete it with its file if it has finished."""
    studio.jobs.cancel(_find_job(studio, job_id))


@router.get("/{job_id}/target.png", response_class=Png, responses={200: PNG[200]})
def get_job_target(studio: StudioDep, job_id: JobId) -> Response:
    """Return the uploaded picture at the size of the generator's images."""
    content = _find_job(studio, job_id).target
    if content is None:
        raise HTTPException(404, "this job has no target picture")
    return Png(content)


@router.get(
    "/{job_id}/file",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": BINARY}}},
)
def download_job_file(studio: StudioDep, job_id: JobId) -> FileResponse:
    """Download the file that a job has produced."""
    job = _find_job(studio, job_id)
    if job.state != "done" or job.file is None:
        raise HTTPException(404, "this job has no file, or has not finished")
    return FileResponse(job.file, filename=job.file.name)


def _find_job(studio: Studio, job_id: JobId) -> Job:
    job = studio.jobs.get(job_id)
    if job is None:
        raise HTTPException(404, "there is no such job, or it has been deleted")
    return job


def _decode(file: BinaryIO, size: int) -> tuple[Image.Image, bytes]:
    """Return a picture at the size of the generator's images, and as a PNG."""
    try:
        picture = decode(io.BytesIO(file.read()), size)
    except (Unreadable, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"this picture cannot be read: {first_line(error)}") from None
    except Exception:  # Pillow may raise anything, with texts about its own objects
        raise UserError("this file is damaged, or not a picture in a common format") from None
    return picture, image.to_png(picture)


def _requested_faces(body: schemas.ZipRequest) -> list[Face]:
    if body.faces is not None:
        return to_faces(body.faces)
    if body.run is None or body.epoch is None:
        raise HTTPException(400, "a zip needs either faces, or a run and an epoch")
    return [
        Face(
            *(body.run, body.epoch, body.weights, body.digest, seed, None),
            *(body.truncation, body.moves, body.mix, body.label),
        )
        for seed in range(body.seed, body.seed + body.count)
    ]


def _file_name(number: int, face: Face) -> str:
    return f"{number:05d}-{face_name(face)}.png"


def _portraits(studio: Studio, faces: list[Face], job: Job) -> Iterator[bytes]:
    for start in range(0, len(faces), BATCH_SIZE):
        batch = faces[start : start + BATCH_SIZE]
        for face, pixels in zip(batch, studio.draw(batch), strict=True):
            yield pictures.portrait(pixels, face, "")
        job.report_progress(start + len(batch), len(faces))


def _frames(parents: Parents, body: schemas.FilmRequest, job: Job) -> Iterator[np.ndarray]:
    for number, pixels in enumerate(parents.film(body.frames_per_face), 1):
        yield pixels.repeat(body.scale, axis=0).repeat(body.scale, axis=1)
        job.report_progress(number, len(parents.faces) * body.frames_per_face)
