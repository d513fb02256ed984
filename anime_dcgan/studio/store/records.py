"""What the store gives out and takes in: plain values, no rows of a database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from anime_dcgan.errors import UserError
from anime_dcgan.explore.face import Face

How = Literal["breed", "mix", "edit", "projection"]

LONGEST_STORY = 20_000  # characters
LONGEST_NAME = 200
MOST_PARENTS = 8


@dataclass(frozen=True)
class NewFace:
    """A face and its picture (PNG), which stays when its checkpoint is gone."""

    face: Face
    thumb: bytes


@dataclass(frozen=True)
class Parent:
    id: int
    share: float


@dataclass(frozen=True)
class Kept:
    """A face in the store. One that is hidden is there for its children's sake."""

    id: int
    face: Face
    story: str
    favourite: bool
    hidden: bool
    how: How | None
    created: datetime
    updated: datetime
    parents: list[Parent]
    collections: list[int]


@dataclass(frozen=True)
class Edge:
    child: int
    parent: int
    share: float
    how: How | None


@dataclass(frozen=True)
class Family:
    """Ancestors and descendants of a face, and itself."""

    nodes: list[Kept]
    edges: list[Edge]


@dataclass(frozen=True)
class Collection:
    id: int
    name: str
    count: int
    created: datetime


def check_story(story: str) -> str:
    if len(story) > LONGEST_STORY:
        raise UserError(
            f"a story has at most {LONGEST_STORY:,} characters, this one {len(story):,}"
        )
    return story


def check_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise UserError(f"a name is a line of 1 to {LONGEST_NAME} characters")
    return name
