"""Request and response models for saved faces and collections."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from anime_dcgan.studio.schemas import (
    MAX_PARENTS,
    MAX_STORY_LENGTH,
    FaceModel,
    StrictModel,
)
from anime_dcgan.studio.store import Collection, Edge, Parent, SavedFace
from anime_dcgan.studio.store.records import Method

MAX_FORGOTTEN = 1000


class ParentRequest(StrictModel):
    face: FaceModel
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5


FaceName = Annotated[str, Field(max_length=200)]
Story = Annotated[str, Field(max_length=MAX_STORY_LENGTH)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[int, Field(ge=0, le=2**53, description="number that the studio has given it")]


class SaveRequest(StrictModel):
    """Save a face; if it is already saved, omitted values stay unchanged.

    Parents that are new appear among the saved faces unless `show_parents` is false.
    """

    face: FaceModel
    name: FaceName | None = None
    story: Story | None = None
    favourite: bool | None = None
    how: Method | None = None
    parents: Annotated[list[ParentRequest], Field(max_length=MAX_PARENTS)] | None = None
    show_parents: bool = True


class ForgetRequest(StrictModel):
    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_FORGOTTEN)]


class Counted(BaseModel):
    """The number of faces that a request has changed."""

    count: int


class ChangeRequest(StrictModel):
    name: FaceName | None = None
    story: Story | None = None
    favourite: bool | None = None


class SavedModel(BaseModel):
    """A saved face; a hidden one was removed and remains only as an ancestor.

    `drawable` is false if its generator is gone, so that only its stored picture remains.
    """

    id: int
    face: FaceModel
    drawable: bool
    name: str
    story: str
    favourite: bool
    hidden: bool
    how: Method | None
    created: datetime
    updated: datetime
    parents: list[Parent]
    collections: list[int]

    @classmethod
    def of(cls, saved: SavedFace, drawable: bool) -> "SavedModel":
        face = saved.face.to_json()
        return cls.model_validate({**asdict(saved), "face": face, "drawable": drawable})


class SavedFaces(BaseModel):
    """A page of saved faces; `more` is true if older ones follow."""

    saved: list[SavedModel]
    more: bool


class FamilyModel(BaseModel):
    """A family tree; `complete` is false if its most distant members are omitted."""

    nodes: list[SavedModel]
    edges: list[Edge]
    complete: bool


class CollectionName(StrictModel):
    name: Name


class CollectionModel(BaseModel):
    id: int
    name: str
    count: int
    created: datetime

    @classmethod
    def of(cls, collection: Collection) -> "CollectionModel":
        return cls.model_validate(asdict(collection))


class Collections(BaseModel):
    collections: list[CollectionModel]


class ImportedModel(BaseModel):
    """An imported collection, with the numbers of faces added and already saved."""

    collection: CollectionModel
    added: int
    existing: int
