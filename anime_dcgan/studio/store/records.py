"""Immutable records that the store returns."""

from dataclasses import dataclass
from typing import Literal

from anime_dcgan.explore.face import Face
from anime_dcgan.system.errors import UserError

Method = Literal["breed", "mix", "edit", "projection", "make"]
"""How a face was made from its parents."""


class NameTakenError(UserError):
    """Another collection already has this name."""


@dataclass(frozen=True)
class Parent:
    """A parent of a saved face.

    Attributes:
        id: id of the parent, which is a saved face itself.
        share: contribution to the child, in [0, 1].
    """

    id: int
    share: float


@dataclass(frozen=True)
class SavedFace:
    """A face in the database.

    Attributes:
        how: method that made it from its parents; None for a face found by its seed.
        created, updated: ISO 8601 times in UTC.
        parents: in the order in which they were given.
        name: given by the user; empty if it has none.
        collections: ids of the collections that contain it.
        hidden: True if the face was removed but remains as an ancestor of others; it then has no
            story and belongs to no list and no collection.
    """

    id: int
    face: Face
    name: str
    story: str
    favourite: bool
    created: str
    updated: str
    how: Method | None
    parents: tuple[Parent, ...]
    collections: tuple[int, ...]
    hidden: bool


@dataclass(frozen=True)
class Page:
    """Saved faces, newest first; `has_more` is True if older ones follow."""

    faces: tuple[SavedFace, ...]
    has_more: bool


@dataclass(frozen=True)
class Edge:
    """A parent-child edge of a family tree, by the ids of saved faces."""

    child: int
    parent: int
    share: float
    how: Method | None


@dataclass(frozen=True)
class Family:
    """A saved face with its ancestors and descendants, oldest first.

    Attributes:
        edges: all edges between two of the `nodes`.
        is_complete: False if the most distant relatives are omitted because there are too many.
    """

    nodes: tuple[SavedFace, ...]
    edges: tuple[Edge, ...]
    is_complete: bool


@dataclass(frozen=True)
class Collection:
    """A named set of `count` saved faces."""

    id: int
    name: str
    count: int
    created: str


@dataclass(frozen=True)
class ImportResult:
    """An imported collection, with the numbers of its faces that were new and already saved."""

    collection: Collection
    added: int
    existing: int


@dataclass(frozen=True)
class DirectionName:
    """A name that a user gave to one side of a direction.

    Attributes:
        direction: id of the direction (`sefa.0`).
        text: the name; empty if the user wants none.
        vector: points to the side that has the name, as little-endian float32.
    """

    direction: str
    text: str
    vector: bytes
