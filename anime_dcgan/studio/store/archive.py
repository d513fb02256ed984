"""A collection as one file, and back: a zip of `collection.json` and the pictures.

What comes in is a stranger's: sizes are bounded before anything is read, no name in the archive
becomes a path, every face is checked, and every picture is decoded and written anew.
"""

import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from sqlalchemy.orm import Session

from anime_dcgan.errors import UserError, first_line
from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store import family
from anime_dcgan.studio.store.records import (
    MOST_PARENTS,
    Collection,
    Kept,
    NewFace,
    check_name,
    check_story,
)
from anime_dcgan.studio.store.schema import CollectionRow, MemberRow
from anime_dcgan.studio.store.store import Store, put

FORMAT = 1
LIST = "collection.json"
MOST_FACES = 20_000
LARGEST_LIST = 32 * 1024**2
LARGEST_PICTURE = 4 * 1024**2
MOST_PIXELS = 1024 * 1024
HOWS = (None, "breed", "mix", "edit", "projection")


@dataclass(frozen=True)
class Imported:
    collection: Collection
    added: int
    known: int


def write_collection(store: Store, collection_id: int, path: Path) -> None:
    """Its faces with stories and ancestors, written beside `path` and renamed."""
    collection = store.collection(collection_id)
    members = _members(store, collection_id)
    relatives = {node.id: node for kept in members for node in store.family(kept.id).nodes}
    chosen = _with_ancestors(members, relatives)
    content = {
        "format": FORMAT,
        "name": collection.name,
        "members": [kept.id for kept in reversed(members)],
        "faces": [_to_json(kept) for kept in chosen],
    }
    partial = path.with_name(f".partial-{path.name}")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            archive.writestr(LIST, json.dumps(content, indent=1), zipfile.ZIP_DEFLATED)
            for kept in chosen:
                archive.writestr(_picture_name(kept.id), store.thumb(kept.id))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_collection(store: Store, file: BinaryIO) -> Imported:
    """A new collection of what a file says; all of it or nothing.

    A face that is kept already stays one; the file's story is taken where ours is empty.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            content = _read_list(archive)
            faces = [_Arriving(archive, one) for one in content["faces"]]
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise UserError(f"this file is no collection: {first_line(error)}") from None
    before = {one.number for one in faces if store.find(one.new.face) is not None}
    with store.database.writing() as session:
        made = _write(session, content, faces)
    return Imported(store.collection(made), len(faces) - len(before), len(before))


class _Arriving:
    """A face of a file, checked."""

    def __init__(self, archive: zipfile.ZipFile, raw: Any) -> None:
        self.number = _member(raw, "id", int)
        self.story = check_story(_member(raw, "story", str))
        self.favourite = _member(raw, "favourite", bool)
        self.hidden = _member(raw, "hidden", bool)
        self.how = raw.get("how")
        if self.how not in HOWS:
            raise UserError(f"this collection has a face that was made by {self.how!s:.20}")
        parents = _member(raw, "parents", list)[:MOST_PARENTS]
        self.parents = [(_member(one, "id", int), _share(one)) for one in parents]
        picture = _picture(archive, _picture_name(self.number))
        self.new = NewFace(Face.from_json(_member(raw, "face", dict)), picture)


def _write(session: Session, content: dict[str, Any], faces: list[_Arriving]) -> int:
    rows = {}
    for arriving in faces:
        row = put(session, arriving.new, hidden=arriving.hidden)
        row.story = row.story or arriving.story
        row.favourite = row.favourite or arriving.favourite
        rows[arriving.number] = row
    for arriving in faces:
        row = rows[arriving.number]
        parents = [(rows[number], share) for number, share in arriving.parents if number in rows]
        if parents and not row.parents:
            row.how = arriving.how
            family.adopt(session, row, parents)
            session.flush()
    collection = CollectionRow(name=content["name"], created=datetime.now(UTC))
    session.add(collection)
    session.flush()
    for number in dict.fromkeys(content["members"]):
        if number in rows:
            session.merge(MemberRow(collection_id=collection.id, face_id=rows[number].id))
    return collection.id


def _members(store: Store, collection_id: int) -> list[Kept]:
    """The last kept first."""
    members: list[Kept] = []
    more, before = True, None
    while more and len(members) < MOST_FACES:
        some, more = store.faces(collection=collection_id, limit=500, before=before)
        members += some
        before = some[-1].id if some else None
    return members


def _with_ancestors(members: list[Kept], relatives: dict[int, Kept]) -> list[Kept]:
    chosen: dict[int, Kept] = {}
    waiting = list(members)
    while waiting:
        kept = waiting.pop()
        if kept.id not in chosen:
            chosen[kept.id] = kept
            waiting += [relatives[one.id] for one in kept.parents if one.id in relatives]
    return sorted(chosen.values(), key=lambda kept: kept.id)


def _to_json(kept: Kept) -> dict[str, Any]:
    return {
        "id": kept.id,
        "face": kept.face.to_json(),
        "story": kept.story,
        "favourite": kept.favourite,
        "hidden": kept.hidden,
        "how": kept.how,
        "parents": [{"id": one.id, "share": one.share} for one in kept.parents],
    }


def _picture_name(number: int) -> str:
    return f"faces/{number}.png"


def _read_list(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        content = json.loads(_read(archive, LIST, LARGEST_LIST))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{LIST} in this file is damaged: {first_line(error)}") from None
    if _member(content, "format", int) != FORMAT:
        raise UserError(f"this collection has the format {content['format']}: update to read it")
    faces = _member(content, "faces", list)
    if len(faces) > MOST_FACES:
        raise UserError(f"this collection has more than {MOST_FACES:,} faces")
    if not all(type(number) is int for number in _member(content, "members", list)):
        raise UserError("this file is no collection: `members` are no numbers")
    return content | {"name": check_name(_member(content, "name", str))}


def _read(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    try:
        with archive.open(name) as file:
            content = file.read(largest + 1)
    except KeyError:
        raise UserError(f"this file is no collection: it has no {name}") from None
    if len(content) > largest:
        raise UserError(f"{name} in this file is larger than {largest // 1024:,} kB")
    return content


def _picture(archive: zipfile.ZipFile, name: str) -> bytes:
    """Decoded and written anew, so that nothing but pixels comes in."""
    content = _read(archive, name, LARGEST_PICTURE)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UserError(f"{name} in this file has too many pixels")
            pixels = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{name} in this file is damaged: {first_line(error)}") from None
    file = io.BytesIO()
    pixels.save(file, "PNG")
    return file.getvalue()


def _member(raw: Any, name: str, kind: type) -> Any:
    value = raw.get(name) if isinstance(raw, dict) else None
    if type(value) is not kind:
        raise UserError(f"this file is no collection: `{name}` is missing or no {kind.__name__}")
    return value


def _share(raw: Any) -> float:
    share = raw.get("share") if isinstance(raw, dict) else None
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise UserError("this file is no collection: a parent's share is none")
    return float(share)
