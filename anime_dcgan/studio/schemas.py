"""What goes over the wire, typed: these models are the documentation of the interface."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from anime_dcgan.explore.face import FARTHEST_MOVE, Face
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.studio.jobs import Job as StudioJob
from anime_dcgan.studio.library import Run as StudioRun
from anime_dcgan.studio.store import Collection as StoreCollection
from anime_dcgan.studio.store import Edge, Parent
from anime_dcgan.studio.store import Kept as StoreKept

MOST_ON_SHEET, MOST_PARENTS, MOST_CHILDREN = 256, 8, 64
MOST_IN_ZIP, MOST_FRAMES, LONGEST_STORY, LONGEST_LATENT = 10_000, 600, 20_000, 22_000

RunName = Annotated[str, Field(min_length=1, max_length=500, examples=["2026-11-24_10-00-00"])]
Epoch = Annotated[str, Field(pattern=r"^(best|last|[0-9]{1,7}(\.[0-9]{1,6})?)$", examples=["70"])]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Truncation = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Step = Annotated[float, Field(ge=-FARTHEST_MOVE, le=FARTHEST_MOVE, allow_inf_nan=False)]
Moves = Annotated[dict[str, Step], Field(max_length=64, examples=[{"sefa.0": 1.5}])]
DirectionId = Annotated[str, Field(pattern=r"^(sefa|pca)\.[0-9]{1,4}$")]
Scale = Annotated[int, Field(ge=1, le=16)]


class Strict(BaseModel):
    """A key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why something cannot be done, in a sentence."""

    detail: str


class FaceModel(Strict):
    """A face; either `seed` or `latent` (little-endian float32 as base64url, no padding)."""

    run: RunName
    epoch: Epoch
    weights: Weights = "ema"
    seed: Seed | None = None
    latent: Annotated[str, Field(max_length=LONGEST_LATENT)] | None = None
    truncation: Truncation = 1.0
    moves: Moves = {}

    def to_face(self) -> Face:
        return Face(**self.model_dump())


Parents = Annotated[list[FaceModel], Field(min_length=1, max_length=MOST_PARENTS)]
SheetOfFaces = Annotated[list[FaceModel], Field(min_length=1, max_length=MOST_ON_SHEET)]


class Limits(BaseModel):
    """How much one request may ask for."""

    sheet: int = MOST_ON_SHEET
    parents: int = MOST_PARENTS
    children: int = MOST_CHILDREN
    zip: int = MOST_IN_ZIP
    film: int = MOST_FRAMES
    upload: int
    story: int = LONGEST_STORY


class State(BaseModel):
    """What this studio is and can."""

    version: str
    outputs: str
    limits: Limits
    mp4: bool


class Runs(BaseModel):
    runs: list[StudioRun]


class SheetRequest(Strict):
    faces: SheetOfFaces
    columns: Annotated[int, Field(ge=1, le=MOST_ON_SHEET)] = 8
    scale: Annotated[int, Field(ge=1, le=8)] = 1
    padding: Annotated[int, Field(ge=0, le=16)] = 0


class MixRequest(Strict):
    """From the first parent to the second (to the third ...), `steps` for each pair."""

    parents: Annotated[list[FaceModel], Field(min_length=2, max_length=MOST_PARENTS)]
    steps: Annotated[int, Field(ge=1, le=64)] = 8


class BlendRequest(Strict):
    parents: Parents
    shares: Annotated[
        list[Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]],
        Field(min_length=1, max_length=MOST_PARENTS),
    ]


class BreedRequest(Strict):
    """Child i is always the same for the same parents, variation and seed + i."""

    parents: Parents
    children: Annotated[int, Field(ge=1, le=MOST_CHILDREN)] = 12
    variation: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.2
    seed: Annotated[int, Field(ge=0, le=MAX_SEED - MOST_CHILDREN)] = 0


class Faces(BaseModel):
    faces: list[FaceModel]

    @classmethod
    def of(cls, faces: list[Face]) -> "Faces":
        return cls(faces=[face_model(face) for face in faces])


class OneFace(BaseModel):
    face: FaceModel


class DirectionModel(BaseModel):
    """`strength` is a share of the variance that the method explains."""

    id: str
    strength: float
    name: str | None


class Directions(BaseModel):
    """Steps of more than `range` standard deviations lead where no face was trained."""

    directions: list[DirectionModel]
    range: float = 3.0


class NameRequest(Strict):
    run: RunName
    epoch: Epoch
    weights: Weights = "ema"
    id: DirectionId
    name: Annotated[str, Field(min_length=1, max_length=200)] | None


class FilmRequest(Strict):
    faces: Annotated[list[FaceModel], Field(min_length=2, max_length=64)]
    frames_per_face: Annotated[int, Field(ge=1, le=120)] = 24
    frames_per_second: Annotated[int, Field(ge=1, le=60)] = 24
    format: Literal["gif", "mp4"] = "gif"
    scale: Annotated[int, Field(ge=1, le=8)] = 4


class ZipRequest(Strict):
    """Faces by name, or `count` of them from `seed` on."""

    faces: Annotated[list[FaceModel], Field(min_length=1, max_length=MOST_ON_SHEET)] | None = None
    run: RunName | None = None
    epoch: Epoch | None = None
    weights: Weights = "ema"
    truncation: Truncation = 1.0
    moves: Moves = {}
    seed: Annotated[int, Field(ge=0, le=MAX_SEED - MOST_IN_ZIP)] = 0
    count: Annotated[int, Field(ge=1, le=MOST_IN_ZIP)] = 64


class JobModel(BaseModel):
    """Long work. `face` is the best that a projection has found so far."""

    id: str
    kind: Literal["film", "zip", "projection"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: float
    seconds_left: float | None
    detail: str
    error: str | None
    face: FaceModel | None
    file: str | None

    @classmethod
    def of(cls, job: StudioJob) -> "JobModel":
        ready = job.state == "done" and job.file is not None
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            progress=job.progress,
            seconds_left=job.seconds_left,
            detail=job.detail,
            error=job.error,
            face=face_model(job.face) if job.face else None,
            file=f"/api/jobs/{job.id}/file" if ready else None,
        )


def face_model(face: Face) -> FaceModel:
    return FaceModel(**face.to_json())


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documentation of the errors that a route answers with: JSON also where it draws a picture."""
    content = {"application/json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": PROBLEMS[status], "content": content} for status in statuses}


PROBLEMS = {
    400: "it cannot be done",
    401: "the token is wanting",
    403: "another page asks, or X-Studio: 1 is wanting",
    404: "it is not there",
    409: "the name is taken",
    413: "it is too large",
    421: "the studio is not called by this name",
    422: "a value is of the wrong kind",
    429: "too many jobs are waiting",
    503: "too many faces are waiting to be drawn",
}


class ParentRequest(Strict):
    face: FaceModel
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5


How = Literal["breed", "mix", "edit", "projection"]
Story = Annotated[str, Field(max_length=LONGEST_STORY)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[int, Field(ge=0, le=2**53)]


class KeepRequest(Strict):
    """What is not given stays as it is, where the face is kept already."""

    face: FaceModel
    story: Story | None = None
    favourite: bool | None = None
    how: How | None = None
    parents: Annotated[list[ParentRequest], Field(max_length=MOST_PARENTS)] | None = None


class ChangeRequest(Strict):
    story: Story | None = None
    favourite: bool | None = None


class KeptModel(BaseModel):
    """A face that is kept. A hidden one is there as an ancestor only."""

    id: int
    face: FaceModel
    story: str
    favourite: bool
    hidden: bool
    how: How | None
    created: datetime
    updated: datetime
    parents: list[Parent]
    collections: list[int]

    @classmethod
    def of(cls, kept: StoreKept) -> "KeptModel":
        return cls.model_validate({**asdict(kept), "face": kept.face.to_json()})


class KeptFaces(BaseModel):
    kept: list[KeptModel]
    more: bool


class FamilyModel(BaseModel):
    """`whole` is false where there are too many, and the farthest are left out."""

    nodes: list[KeptModel]
    edges: list[Edge]
    whole: bool


class NewName(Strict):
    name: Name


class CollectionModel(BaseModel):
    id: int
    name: str
    count: int
    created: datetime

    @classmethod
    def of(cls, collection: StoreCollection) -> "CollectionModel":
        return cls.model_validate(asdict(collection))


class Collections(BaseModel):
    collections: list[CollectionModel]


class ImportedModel(BaseModel):
    collection: CollectionModel
    added: int
    known: int
