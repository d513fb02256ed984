"""Export a collection to a zip archive and import it into another studio.

The archive carries the faces, pictures and stories, and the ancestors of the faces.
"""

import graphlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, func, insert, select

from anime_dcgan.explore.face import UNKNOWN_DIGEST, Face, check_digest
from anime_dcgan.studio.store import archive, collections, faces, schema
from anime_dcgan.studio.store.archive import ArchiveReader
from anime_dcgan.studio.store.family import ancestors, delete_unreferenced, has_parents
from anime_dcgan.studio.store.queries import id_list, load_face, load_faces
from anime_dcgan.studio.store.records import ImportResult, Method, SavedFace
from anime_dcgan.studio.store.store import Store
from anime_dcgan.studio.store.validation import (
    MAX_PARENTS,
    canonical,
    normalise_name,
    reencode_thumb,
    validate_face_name,
    validate_id,
    validate_method,
    validate_share,
    validate_story,
)
from anime_dcgan.system.errors import UserError, first_line

FORMAT, VERSION = "anime_dcgan collection", 1
THUMBS = schema.thumbs.c
T = TypeVar("T")


@dataclass(frozen=True)
class ImportedFace:
    """A face read from an archive.

    Attributes:
        is_member: True if the face belongs to the collection; the others are ancestors of its
            members and have no story.
        parents: shares of the parents, keyed by their index among the faces of the archive.
    """

    face: Face
    thumb: bytes
    is_member: bool
    name: str
    story: str
    favourite: bool
    how: Method | None
    parents: Mapping[int, float]


@dataclass(frozen=True)
class ImportedCollection:
    """The validated contents of an archive.

    Attributes:
        order: indices of all faces, parents before their children.
        generators: files of generators by digest, which the caller must check.
    """

    name: str
    faces: tuple[ImportedFace, ...]
    order: tuple[int, ...]
    generators: Mapping[str, bytes]


def export_collection(
    store: Store, id: int, path: Path, generators: Callable[[str], Path | None] = lambda _: None
) -> None:
    """Write a collection to a zip, atomically; the same collection gives the same bytes.

    The ancestors of its faces are included without their stories, as they are not members.

    Parameters:
        generators: returns the file of a generator to be included, by its digest, or None.
    """
    with store.database.read() as connection:
        collection = collections.load_collection(connection, validate_id(id, "collection"))
        saved, picture_bytes = _load_members_and_ancestors(connection, id)
        contents = {"format": FORMAT, "version": VERSION, "name": collection.name}
        contents["faces"] = _face_entries(saved, id)
        files = _generator_files(saved, generators)
        contents["generators"] = list(files)
        size = sum(file.stat().st_size for file in files.values())
        encoded = archive.encode_contents(contents, picture_bytes + size)
        query = select(THUMBS.png).where(THUMBS.face.in_(id_list(one.id for one in saved)))
        rows = connection.execute(query.order_by(THUMBS.face), execution_options={"yield_per": 100})
        try:
            with archive.create_zip(path) as target:
                archive.add_file(target, archive.CONTENTS, encoded)
                for number, png in enumerate(rows.scalars(), 1):
                    archive.add_file(target, archive.picture_name(number), png)
                for digest, file in files.items():
                    archive.add_file(target, archive.generator_name(digest), file.read_bytes())
        except OSError as error:
            raise UserError(f"{path} could not be written: {first_line(error)}") from error


def _generator_files(
    saved: list[SavedFace], generators: Callable[[str], Path | None]
) -> dict[str, Path]:
    digests = sorted({one.face.digest for one in saved if one.face.digest is not None})
    files = {digest: path for digest in digests if (path := generators(digest)) is not None}
    if len(files) > archive.MAX_GENERATORS:
        raise UserError(
            f"this collection has faces of {len(files)} generators, but an archive can hold at "
            f"most {archive.MAX_GENERATORS}: split it, or export it without the generators"
        )
    return files


def import_collection(
    store: Store, file: Path | archive.File, adopt: Callable[[str, bytes], None] | None = None
) -> ImportResult:
    """Import an archive written by `export_collection` as a new collection, in one transaction.

    If the name is taken, a number is appended. Faces that are already saved retain their picture,
    favourite mark, story and parents; a missing story or missing parents come from the archive.
    Ancestors outside the collection are imported as hidden faces.

    Parameters:
        adopt: checks the file of a generator, given with its digest, and stores it; raises
            `UserError` if it is invalid. Generators are ignored without it.
    """
    with archive.open_archive(file) as source:
        imported = read_collection(source)
    if adopt is not None:
        for digest, content in imported.generators.items():
            adopt(digest, content)
    with store.database.write() as connection:
        name = collections.unused_name(connection, imported.name)
        collection = collections.create_collection(connection, name)
        added = _insert_faces(connection, imported, collection)
        delete_unreferenced(connection)  # ancestors of faces that retain other parents
        found = collections.load_collection(connection, collection)
    return ImportResult(found, added, found.count - added)


def read_collection(source: ArchiveReader) -> ImportedCollection:
    """Read and validate an archive; raise `UserError` if any part of it is invalid."""
    contents = _expect(source.contents(), dict, "collection.json")
    if contents.get("format") != FORMAT:
        raise UserError("this file is not a collection of the studio")
    if contents.get("version") != VERSION:
        version = f"{contents.get('version')!s:.20}"
        raise UserError(f"this collection has format version {version}; only {VERSION} can be read")
    name = normalise_name(_expect(contents.get("name"), str, "name"))
    entries = _expect(contents.get("faces"), list, "faces")
    if len(entries) > archive.MAX_FACES:
        raise UserError(
            f"this collection has more than {archive.MAX_FACES} faces including ancestors"
        )
    read = tuple(_read_face(entry, source, number) for number, entry in enumerate(entries, 1))
    if len({one.face.key for one in read}) != len(read):
        raise UserError("this collection contains the same face twice")
    return ImportedCollection(name, read, _parents_first(read), _read_generators(contents, source))


def _read_generators(contents: dict[str, Any], source: ArchiveReader) -> dict[str, bytes]:
    digests = _expect(contents.get("generators", []), list, "generators")
    if len(digests) > archive.MAX_GENERATORS:
        raise UserError(f"this collection has more than {archive.MAX_GENERATORS} generators")
    for digest in digests:
        check_digest(digest)
    return {digest: source.generator(digest) for digest in digests}


def _read_face(value: Any, source: ArchiveReader, number: int) -> ImportedFace:
    try:
        entry = _expect(value, dict, "a face")
        return ImportedFace(
            face=_read_identity(entry.get("face")),
            thumb=reencode_thumb(source.picture(number)),
            is_member=_expect(entry.get("member"), bool, "member"),
            name=validate_face_name(_expect(entry.get("name", ""), str, "name")),
            story=validate_story(_expect(entry.get("story", ""), str, "story")),
            favourite=_expect(entry.get("favourite", False), bool, "favourite"),
            how=validate_method(entry.get("how")),
            parents=_read_parents(_expect(entry.get("parents", []), list, "parents")),
        )
    except UserError as error:
        raise UserError(f"face {number} of this collection is invalid: {error}") from None


def _read_identity(content: Any) -> Face:
    """Return a face, which is never that of a generator here that only has the same name."""
    face = canonical(Face.from_json(content))
    return face if face.digest is not None else replace(face, digest=UNKNOWN_DIGEST)


def _read_parents(entries: list[Any]) -> dict[int, float]:
    if len(entries) > MAX_PARENTS:
        raise UserError(f"it has more than {MAX_PARENTS} parents")
    parents: dict[int, float] = {}
    for value in entries:
        entry = _expect(value, dict, "a parent")
        index = _expect(entry.get("number"), int, "number") - 1
        parents[index] = validate_share(entry.get("share"))
    return parents


def _parents_first(imported: tuple[ImportedFace, ...]) -> tuple[int, ...]:
    if any(not 0 <= parent < len(imported) for one in imported for parent in one.parents):
        raise UserError("this collection refers to a parent that it does not contain")
    graph = {index: one.parents for index, one in enumerate(imported)}
    try:
        return tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        raise UserError("this collection contains a face that descends from itself") from None


def _expect(value: Any, kind: type[T], name: str) -> T:
    """Return the value; raise `UserError` unless its type is exactly `kind` (bool is not int)."""
    if type(value) is not kind:
        raise UserError(f"{name} of this collection must be of type {kind.__name__}")
    return value


def _load_members_and_ancestors(
    connection: Connection, collection: int
) -> tuple[list[SavedFace], int]:
    """Return the faces ordered by id, and the total size of their pictures in bytes."""
    members = select(schema.members.c.face).where(schema.members.c.collection == collection)
    members = members.join(schema.saved).where(~schema.saved.c.hidden)
    ids = sorted(ancestors(connection, connection.scalars(members)))
    if len(ids) > archive.MAX_FACES:
        raise UserError(
            f"this collection has {len(ids)} faces including ancestors, but an archive can hold "
            f"at most {archive.MAX_FACES}: split it"
        )
    table = schema.saved
    query = select(table).where(table.c.id.in_(id_list(ids))).order_by(table.c.id)
    size = select(func.sum(func.length(THUMBS.png))).where(THUMBS.face.in_(id_list(ids)))
    return load_faces(connection, query), connection.scalar(size) or 0


def _face_entries(saved: list[SavedFace], collection: int) -> list[dict[str, Any]]:
    numbers = {one.id: number for number, one in enumerate(saved, 1)}
    entries = []
    for one in saved:
        parents = [{"number": numbers[parent.id], "share": parent.share} for parent in one.parents]
        entry = {"face": one.face.to_json(), "member": collection in one.collections}
        if entry["member"]:
            entry |= {"name": one.name, "story": one.story, "favourite": one.favourite}
        entries.append(entry | {"how": one.how, "parents": parents})
    return entries


def _insert_faces(connection: Connection, imported: ImportedCollection, collection: int) -> int:
    """Insert all faces and edges; return the number of members that were not visible before."""
    known = [faces.find_id(connection, one.face) for one in imported.faces]
    ids = [
        id or faces.create(connection, one.face, one.thumb, hidden=not one.is_member)
        for id, one in zip(known, imported.faces, strict=True)
    ]
    for index in imported.order:  # so that the check for cycles meets few descendants
        one = imported.faces[index]
        if not known[index] or (one.parents and not has_parents(connection, ids[index])):
            parents = {ids[parent]: share for parent, share in one.parents.items()}
            faces.set_parents(connection, ids[index], one.how, parents)
    rows = [
        {"collection": collection, "face": id}
        for one, id in zip(imported.faces, ids, strict=True)
        if one.is_member
    ]
    if rows:
        connection.execute(insert(schema.members), rows)
    return sum(
        _update_member(connection, one, id, is_known=known_id is not None)
        for one, id, known_id in zip(imported.faces, ids, known, strict=True)
        if one.is_member
    )


def _update_member(connection: Connection, one: ImportedFace, id: int, is_known: bool) -> bool:
    """Fill in texts and the favourite mark; return True if the face was not visible before."""
    is_new = faces.unhide(connection, id) if is_known else True
    existing = load_face(connection, id)
    story = one.story if one.story and not existing.story else None
    name = one.name if one.name and not existing.name else None
    faces.change(connection, id, story, one.favourite if is_new else None, name)
    return is_new
