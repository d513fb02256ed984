"""Request and response models of the HTTP API, which are also its documentation."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from anime_dcgan.explore.face import MAX_LABEL_LENGTH, MAX_MIX, MAX_STEP, Face
from anime_dcgan.explore.parts import Part, Variation
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling.seeds import MAX_SEED

MAX_SHEET_FACES, MAX_PARENTS, MAX_CHILDREN = 256, 8, 64
MAX_ZIP_FACES, MAX_FILM_FRAMES = 10_000, 600
MAX_STORY_LENGTH, MAX_LATENT_LENGTH = 20_000, 50_000

RunName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        examples=["2026-11-24_10-00-00"],
        description="run folder, relative to the folder of all runs",
    ),
]
Epoch = Annotated[
    str,
    Field(
        pattern=r"^(best|last|[0-9]{1,7}(\.[0-9]{1,6})?)$",
        examples=["70"],
        description="epoch of a checkpoint, or best or last",
    ),
]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{20}$", examples=["1f0c6b2e9a4d7c35e810"])]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED, description="seed of the latent")]
Truncation = Annotated[
    float,
    Field(
        ge=0, le=1, allow_inf_nan=False, description="factor by which faces approach the average"
    ),
]
Step = Annotated[float, Field(ge=-MAX_STEP, le=MAX_STEP, allow_inf_nan=False)]
Moves = Annotated[dict[str, Step], Field(max_length=64, examples=[{"sefa.0": 1.5}])]
Latent = Annotated[str, Field(max_length=MAX_LATENT_LENGTH)]
Mix = Annotated[dict[str, Seed | Latent], Field(max_length=MAX_MIX, examples=[{"0-3": 17}])]
Label = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_LABEL_LENGTH,
        examples=["blue"],
        description="class of a run with labels; without it a seed has its own",
    ),
]
Layers = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,2}(-[0-9]{1,2})?$",
        examples=["4-9"],
        description="style layers, the first and the last",
    ),
]
DirectionId = Annotated[str, Field(pattern=r"^(sefa|pca)\.[0-9]{1,4}$")]
MAX_SCALE = 16
Scale = Annotated[int, Field(ge=1, le=MAX_SCALE, description="times that each pixel is repeated")]
Upscale = Annotated[int, Field(ge=1, le=4, description="enlargement by a network, or by Lanczos")]
WeightsName = Annotated[Weights, Field(description="averaged (ema) or raw weights")]


class StrictModel(BaseModel):
    """A request model that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """The reason why a request failed, in one sentence."""

    detail: str


class GeneratorModel(BaseModel):
    """A generator: its run, the number of its epoch, and the digest of its weights."""

    run: RunName
    epoch: Epoch
    weights: Weights
    digest: Digest | None
    drawable: bool


class FaceModel(StrictModel):
    """A face, given by `seed` or by `latent` (little-endian float32 as base64url, no padding).

    With the `digest` of a generator's weights it is the face of that very generator, even after the
    run has continued or is gone; answers contain it. `label` is a class of a run with labels; null
    gives a seed its own label.
    """

    run: RunName
    epoch: Epoch
    weights: WeightsName = "ema"
    digest: Digest | None = None
    seed: Seed | None = None
    latent: Latent | None = None
    truncation: Truncation = 1.0
    moves: Moves = {}
    mix: Mix = {}
    label: Label | None = None

    def to_face(self) -> Face:
        return Face(**self.model_dump())


Parents = Annotated[list[FaceModel], Field(min_length=1, max_length=MAX_PARENTS)]
SheetFaces = Annotated[list[FaceModel], Field(min_length=1, max_length=MAX_SHEET_FACES)]


class Limits(BaseModel):
    """The largest values that one request may ask for."""

    sheet: int = MAX_SHEET_FACES
    parents: int = MAX_PARENTS
    children: int = MAX_CHILDREN
    zip: int = MAX_ZIP_FACES
    film: int = MAX_FILM_FRAMES
    upload: int
    story: int = MAX_STORY_LENGTH


class State(BaseModel):
    """Version, limits and optional features.

    `upscaler` is the name of the network that enlarges faces, null if it is not installed;
    `unsaved` is why nothing can be saved, if so.
    """

    version: str
    outputs: str
    limits: Limits
    mp4: bool
    upscaler: str | None
    unsaved: str | None


class SheetRequest(StrictModel):
    """`fast` draws faces of one generator together, as walls are; the last bits may differ."""

    faces: SheetFaces
    fast: bool = False
    columns: Annotated[int, Field(ge=1, le=MAX_SHEET_FACES)] = 8
    scale: Annotated[int, Field(ge=1, le=8)] = 1
    padding: Annotated[int, Field(ge=0, le=16)] = 0


class MixRequest(StrictModel):
    """Interpolate from each parent to the next, in `steps` steps per pair.

    Here and below, `layers` are the style layers to be mixed; the others, as well as truncation and
    moves, are those of the first parent.
    """

    layers: Layers | None = None
    parents: Annotated[list[FaceModel], Field(min_length=2, max_length=MAX_PARENTS)]
    steps: Annotated[int, Field(ge=1, le=64)] = 8


class BlendRequest(StrictModel):
    """Blend the parents with these weights, one per parent, which need not sum to 1."""

    layers: Layers | None = None
    parents: Parents
    shares: Annotated[
        list[Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]],
        Field(min_length=1, max_length=MAX_PARENTS),
    ]


class BreedRequest(StrictModel):
    """Child i depends only on the parents, the variation and seed + i."""

    layers: Layers | None = None
    parents: Parents
    children: Annotated[int, Field(ge=1, le=MAX_CHILDREN)] = 12
    variation: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.2
    seed: Annotated[int, Field(ge=0, le=MAX_SEED - MAX_CHILDREN)] = 0


class Faces(BaseModel):
    faces: list[FaceModel]

    @classmethod
    def of(cls, faces: list[Face]) -> "Faces":
        return cls(faces=[face_model(face) for face in faces])


class FaceResponse(BaseModel):
    face: FaceModel


class PartsModel(BaseModel):
    """The state of the measurements by which colours and shapes are varied apart."""

    ready: bool
    progress: float


class VariationsRequest(StrictModel):
    face: FaceModel
    part: Part
    count: Annotated[int, Field(ge=1, le=MAX_CHILDREN)] = 15
    seed: Annotated[int, Field(ge=0, le=MAX_SEED - MAX_CHILDREN)] = 0


class VariationModel(BaseModel):
    """A face, and the one that gave it its new part."""

    face: FaceModel
    donor: FaceModel


class Variations(BaseModel):
    variations: list[VariationModel]

    @classmethod
    def of(cls, variations: list[Variation]) -> "Variations":
        models = [
            VariationModel(face=face_model(one.face), donor=face_model(one.donor))
            for one in variations
        ]
        return cls(variations=models)


class Styles(BaseModel):
    """The number of layers that take a style; `groups` are ranges of coarse to fine layers.

    `mapping` is true if a mapping network computes the styles. `labels` are the names of the
    classes, empty if the run has no labels.
    """

    layers: int
    mapping: bool
    groups: dict[str, str]
    labels: list[str]


class FilmRequest(StrictModel):
    layers: Layers | None = None
    faces: Annotated[list[FaceModel], Field(min_length=2, max_length=64)]
    frames_per_face: Annotated[int, Field(ge=1, le=120)] = 24
    frames_per_second: Annotated[int, Field(ge=1, le=60)] = 24
    format: Literal["gif", "mp4"] = "gif"
    scale: Annotated[int, Field(ge=1, le=8)] = 4


class ZipRequest(StrictModel):
    """Either a list of faces, or `count` faces of consecutive seeds starting at `seed`."""

    faces: SheetFaces | None = None
    run: RunName | None = None
    epoch: Epoch | None = None
    weights: WeightsName = "ema"
    digest: Digest | None = None
    truncation: Truncation = 1.0
    moves: Moves = {}
    mix: Mix = {}
    label: Label | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED - MAX_ZIP_FACES)] = 0
    count: Annotated[int, Field(ge=1, le=MAX_ZIP_FACES)] = 64


def face_model(face: Face) -> FaceModel:
    return FaceModel(**face.to_json())


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of error responses, which are JSON even on picture routes."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": PROBLEMS[status], "content": content} for status in statuses}


PROBLEMS = {
    400: "the request cannot be fulfilled",
    401: "the token is missing or wrong",
    403: "the request comes from another site, or lacks the header X-Studio: 1",
    404: "not found",
    409: "the name is taken",
    413: "the request body is too large",
    421: "the Host header is not a name of this studio",
    422: "a value has the wrong type or is out of range",
    429: "too many jobs are waiting",
    503: "too many faces are waiting to be rendered, or too many generators to be measured",
}
