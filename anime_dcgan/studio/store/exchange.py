"""A collection from one studio to another: faces, pictures, stories, and whom they descend from."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from anime_dcgan.studio.store import archive, collections, faces, schema
from anime_dcgan.studio.store.arrival import FORMAT, VERSION, Arrival, Arriving, read_arrival
from anime_dcgan.studio.store.checks import checked_id
from anime_dcgan.studio.store.family import ancestors, forget_the_forgotten, has_parents
from anime_dcgan.studio.store.reading import among, loaded
from anime_dcgan.studio.store.records import Imported, Kept
from anime_dcgan.studio.store.store import Store
from anime_dcgan.system.errors import UserError, first_line

THUMBS = schema.thumbs.c


def export_collection(store: Store, id: int, path: Path) -> None:
    """Write a collection as a zip, whole or not at all; the same collection gives the same bytes.

    The ancestors of its faces go with them, without their stories: those are not in the collection.
    """
    with store.database.read() as connection:
        collection = collections.load_collection(connection, checked_id(id, "collection"))
        everyone, pictures = _everyone(connection, id)
        contents = {"format": FORMAT, "version": VERSION, "name": collection.name}
        contents["faces"] = _entries(everyone, id)
        said = archive.packed_json(contents, pictures)
        query = select(THUMBS.png).where(THUMBS.kept.in_(among(one.id for one in everyone)))
        rows = connection.execute(query.order_by(THUMBS.kept), execution_options={"yield_per": 100})
        try:
            with archive.written(path) as target:
                archive.add(target, archive.CONTENTS, said)
                for number, png in enumerate(rows.scalars(), 1):
                    archive.add(target, archive.picture_name(number), png)
        except OSError as error:
            raise UserError(f"{path} could not be written: {first_line(error)}") from error


def import_collection(store: Store, file: Path | archive.File) -> Imported:
    """Take in what `export_collection` wrote, as a new collection; all of it or nothing.

    The collection has the name it had, with a number behind it where that is taken. Of a face that
    is known here everything stays: picture, mark, story and parents; where story or parents are
    wanting, those of the archive are taken. Ancestors outside of the collection come hidden.
    """
    with archive.opened(file) as source:
        arrival = read_arrival(source)
    with store.database.write() as connection:
        collection = collections.create(connection, collections.free_name(connection, arrival.name))
        added = _take_in(connection, arrival, collection)
        forget_the_forgotten(connection)  # ancestors of those who keep other parents
        found = collections.load_collection(connection, collection)
    return Imported(found, added, found.count - added)


def _everyone(connection: Connection, collection: int) -> tuple[list[Kept], int]:
    """Faces and ancestors by their ids, and the bytes of their pictures."""
    members = select(schema.members.c.kept).where(schema.members.c.collection == collection)
    ids = sorted(ancestors(connection, connection.scalars(members)))
    if len(ids) > archive.MOST_FACES:
        raise UserError(
            f"this collection has {len(ids)} faces with their ancestors, where one file holds "
            f"{archive.MOST_FACES}: divide it"
        )
    query = select(schema.kept).where(schema.kept.c.id.in_(among(ids))).order_by(schema.kept.c.id)
    size = select(func.sum(func.length(THUMBS.png))).where(THUMBS.kept.in_(among(ids)))
    return loaded(connection, query), connection.scalar(size) or 0


def _entries(everyone: list[Kept], collection: int) -> list[dict[str, Any]]:
    numbers = {one.id: number for number, one in enumerate(everyone, 1)}
    entries = []
    for one in everyone:
        parents = [{"number": numbers[parent.id], "share": parent.share} for parent in one.parents]
        entry = {"face": one.face.to_json(), "member": collection in one.collections}
        if entry["member"]:
            entry |= {"story": one.story, "favourite": one.favourite}
        entries.append(entry | {"how": one.how, "parents": parents})
    return entries


def _take_in(connection: Connection, arrival: Arrival, collection: int) -> int:
    """Put all faces and edges; returns how many members were not in a list here before."""
    known = [faces.locate(connection, one.face) for one in arrival.faces]
    ids = [
        there or faces.new(connection, one.face, one.thumb, hidden=not one.member)
        for there, one in zip(known, arrival.faces, strict=True)
    ]
    for place in arrival.order:  # so that the check for cycles finds few descendants
        one = arrival.faces[place]
        if not known[place] or (one.parents and not has_parents(connection, ids[place])):
            parents = {ids[parent]: share for parent, share in one.parents.items()}
            faces.relate(connection, ids[place], one.how, parents)
    rows = [
        {"collection": collection, "kept": id}
        for one, id in zip(arrival.faces, ids, strict=True)
        if one.member
    ]
    if rows:
        connection.execute(insert(schema.members), rows)
    return sum(
        _take_member(connection, one, id, known=there is not None)
        for one, id, there in zip(arrival.faces, ids, known, strict=True)
        if one.member
    )


def _take_member(connection: Connection, one: Arriving, id: int, known: bool) -> bool:
    """Returns whether it is new in the lists here."""
    new = faces.show(connection, id) if known else True
    ours = select(schema.kept.c.story).where(schema.kept.c.id == id)
    story = one.story if one.story and not connection.scalar(ours) else None
    faces.change(connection, id, story, one.favourite if new else None)
    return new
