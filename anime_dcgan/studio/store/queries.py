"""Queries for saved faces, inside a transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, func, select

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.records import Page, Parent, SavedFace
from anime_dcgan.system.errors import NotFoundError

FACES = schema.saved


def load_face(connection: Connection, id: int) -> SavedFace:
    """Return a saved face; raise `NotFoundError` if it is missing or hidden."""
    found = load_faces(connection, select(FACES).where(FACES.c.id == id, ~FACES.c.hidden))
    if not found:
        raise NotFoundError(f"there is no saved face {id}")
    return found[0]


def load_page(connection: Connection, query: Select, limit: int) -> Page:
    """Return the newest `limit` faces of a query such as that of `select_visible`."""
    found = load_faces(connection, query.order_by(FACES.c.id.desc()).limit(limit + 1))
    return Page(tuple(found[:limit]), has_more=len(found) > limit)


def select_visible(
    favourite: bool | None = None,
    collection: int | None = None,
    text: str = "",
    before: int | None = None,
) -> Select:
    """Select saved faces that are not hidden.

    The arguments and their defaults are those of `Store.browse`.
    """
    query = select(FACES).where(~FACES.c.hidden)
    if favourite is not None:
        query = query.where(FACES.c.favourite == favourite)
    if collection is not None:
        members = select(schema.members.c.face).where(schema.members.c.collection == collection)
        query = query.where(FACES.c.id.in_(members))
    if text:
        searched = FACES.c.name + "\n" + FACES.c.story + "\n" + FACES.c.run
        query = query.where(func.instr(func.fold(searched), func.fold(text)) > 0)
    if before is not None:
        query = query.where(FACES.c.id < before)
    return query


def load_faces(connection: Connection, query: Select) -> list[SavedFace]:
    """Return the results of a query for rows of `saved`, with their parents and collections."""
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    parents: dict[int, list[Parent]] = {id: [] for id in ids}
    for child, parent, share in connection.execute(_select_parents(ids)):
        parents[child].append(Parent(parent, share))
    collections: dict[int, list[int]] = {id: [] for id in ids}
    for face, collection in connection.execute(_select_collections(ids)):
        collections[face].append(collection)
    return [_to_record(dict(row), parents[row["id"]], collections[row["id"]]) for row in rows]


def id_list(ids: Iterable[int]) -> Select:
    """Return any number of ids as one parameter for `IN`; SQLite limits the parameter count."""
    return select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value)


def _select_parents(ids: Sequence[int]) -> Select:
    table = schema.parents.c
    query = select(table.child, table.parent, table.share).where(table.child.in_(id_list(ids)))
    return query.order_by(table.child, table.position)


def _select_collections(ids: Sequence[int]) -> Select:
    table = schema.members.c
    query = select(table.face, table.collection).where(table.face.in_(id_list(ids)))
    return query.order_by(table.face, table.collection)


def _to_record(row: Mapping[Any, Any], parents: list[Parent], collections: list[int]) -> SavedFace:
    columns = ("id", "name", "story", "favourite", "created", "updated", "how", "hidden")
    record = SavedFace(
        **{name: row[name] for name in columns},
        face=Face.from_query(row["face"]),
        parents=tuple(parents),
        collections=tuple(collections),
    )
    # A forgotten face keeps its texts as long as it can be restored.
    return replace(record, name="", story="", collections=()) if record.hidden else record
