"""What `collection.json` says, each word of it checked, with the pictures that go with it."""

import graphlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store.archive import MOST_FACES, Archive
from anime_dcgan.studio.store.checks import (
    MOST_PARENTS,
    canonical,
    checked_how,
    checked_name,
    checked_share,
    checked_story,
    checked_thumb,
)
from anime_dcgan.studio.store.records import How
from anime_dcgan.system.errors import UserError

FORMAT, VERSION = "anime_dcgan collection", 1
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Arriving:
    """A face of an archive.

    Attributes:
        member: of the collection; the others are ancestors of those, without story.
        parents: their places among the faces of the archive, from 0, with their shares.
    """

    face: Face
    thumb: bytes
    member: bool
    story: str
    favourite: bool
    how: How | None
    parents: Mapping[int, float]


@dataclass(frozen=True)
class Arrival:
    """An archive that was read and found sound.

    Attributes:
        order: the places of all faces, parents before their children.
    """

    name: str
    faces: tuple[Arriving, ...]
    order: tuple[int, ...]


def read_arrival(archive: Archive) -> Arrival:
    """All of it, or `UserError`."""
    contents = _of_kind(archive.contents(), dict, "collection.json")
    if contents.get("format") != FORMAT:
        raise UserError("this file is no collection of the studio")
    if contents.get("version") != VERSION:
        version = f"{contents.get('version')!s:.20}"
        raise UserError(f"this collection is of version {version}, and {VERSION} is read here")
    name = checked_name(_of_kind(contents.get("name"), str, "name"))
    entries = _of_kind(contents.get("faces"), list, "faces")
    if len(entries) > MOST_FACES:
        raise UserError(f"this collection has more than {MOST_FACES} faces with their ancestors")
    faces = tuple(_arriving(entry, archive, number) for number, entry in enumerate(entries, 1))
    if len({one.face for one in faces}) != len(faces):
        raise UserError("this collection has the same face twice")
    return Arrival(name, faces, _parents_first(faces))


def _arriving(entry: Any, archive: Archive, number: int) -> Arriving:
    try:
        said = _of_kind(entry, dict, "a face")
        return Arriving(
            face=canonical(Face.from_json(said.get("face"))),
            thumb=checked_thumb(archive.picture(number)),
            member=_of_kind(said.get("member"), bool, "member"),
            story=checked_story(_of_kind(said.get("story", ""), str, "story")),
            favourite=_of_kind(said.get("favourite", False), bool, "favourite"),
            how=checked_how(said.get("how")),
            parents=_parents(_of_kind(said.get("parents", []), list, "parents")),
        )
    except UserError as error:
        raise UserError(f"face {number} of this collection cannot be taken: {error}") from None


def _parents(entries: list[Any]) -> dict[int, float]:
    if len(entries) > MOST_PARENTS:
        raise UserError(f"it has more than {MOST_PARENTS} parents")
    parents: dict[int, float] = {}
    for entry in entries:
        said = _of_kind(entry, dict, "a parent")
        place = _of_kind(said.get("number"), int, "number") - 1
        parents[place] = checked_share(said.get("share"))
    return parents


def _parents_first(faces: tuple[Arriving, ...]) -> tuple[int, ...]:
    if any(not 0 <= parent < len(faces) for one in faces for parent in one.parents):
        raise UserError("a parent of this collection is not in it")
    graph = {place: one.parents for place, one in enumerate(faces)}
    try:
        return tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        raise UserError("a face of this collection descends from itself") from None


def _of_kind(value: Any, kind: type[Kind], name: str) -> Kind:
    if type(value) is not kind:  # True is no number here
        raise UserError(f"{name} of this collection is of another kind than it should be")
    return value
