"""Response models for background jobs."""

from typing import Literal

from pydantic import BaseModel

from anime_dcgan.explore.projection import Variables
from anime_dcgan.studio import schemas
from anime_dcgan.studio.jobs import Job, JobState


class FoundModel(BaseModel):
    """The nearest face so far of a projection, and its mean absolute difference of pixels."""

    variables: Variables
    face: schemas.FaceModel | None
    distance: float | None


class JobModel(BaseModel):
    """A background job.

    `found` are the nearest faces that a projection has found so far, one for each kind of
    variables; `face` is the nearest of them.
    """

    id: str
    kind: Literal["film", "zip", "projection"]
    state: JobState
    progress: float
    seconds_left: float | None
    detail: str
    error: str | None
    face: schemas.FaceModel | None
    found: list[FoundModel]
    file: str | None
    file_name: str | None

    @classmethod
    def of(cls, job: Job) -> "JobModel":
        has_file = job.state == "done" and job.file is not None
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            progress=job.progress,
            seconds_left=job.seconds_left,
            detail=job.detail,
            error=job.error,
            face=schemas.face_model(job.face) if job.face else None,
            found=[
                FoundModel(
                    variables=variables,
                    face=found and schemas.face_model(found.face),
                    distance=found and found.distance,
                )
                for variables, found in job.found.items()
            ],
            file=f"/api/jobs/{job.id}/file" if has_file else None,
            file_name=job.file.name if has_file and job.file else None,
        )
