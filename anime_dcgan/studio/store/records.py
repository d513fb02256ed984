"""What the store gives back: plain values that nothing changes any more."""

from dataclasses import dataclass
from typing import Literal

from anime_dcgan.explore.face import Face
from anime_dcgan.system.errors import UserError

How = Literal["breed", "mix", "edit", "projection"]


class Taken(UserError):
    """Another collection has this name."""


@dataclass(frozen=True)
class Parent:
    """A kept face that another was made of.

    Attributes:
        id: of the kept face.
        share: 0 to 1, how much of it there is in the child.
    """

    id: int
    share: float


@dataclass(frozen=True)
class Kept:
    """A face that somebody kept.

    Attributes:
        how: what made it of its parents; None for a face that was found by its seed.
        created, updated: in UTC, as ISO 8601.
        parents: in the order in which they were given.
        collections: the ids of those that it is in.
        hidden: it was removed, and is no more than an ancestor of others: without story, in no
            list and no collection.
    """

    id: int
    face: Face
    story: str
    favourite: bool
    created: str
    updated: str
    how: How | None
    parents: tuple[Parent, ...]
    collections: tuple[int, ...]
    hidden: bool


@dataclass(frozen=True)
class Page:
    """Kept faces, newest first, and whether older ones follow."""

    kept: tuple[Kept, ...]
    more: bool


@dataclass(frozen=True)
class Edge:
    """One line of a family tree, by the ids of kept faces."""

    child: int
    parent: int
    share: float
    how: How | None


@dataclass(frozen=True)
class Family:
    """A kept face with its ancestors and descendants, oldest first.

    Attributes:
        edges: all between two of `nodes`.
        whole: False where there were so many that the farthest are left out.
    """

    nodes: tuple[Kept, ...]
    edges: tuple[Edge, ...]
    whole: bool


@dataclass(frozen=True)
class Collection:
    """A name, and how many faces are under it."""

    id: int
    name: str
    count: int
    created: str


@dataclass(frozen=True)
class Imported:
    """A collection that was imported; how many of its faces were new here, and how many known."""

    collection: Collection
    added: int
    known: int
