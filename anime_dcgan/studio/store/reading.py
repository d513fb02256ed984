"""Kept faces as records, within a transaction: one, a page, or all of a query."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.records import Kept, Page, Parent
from anime_dcgan.system.errors import NotFoundError

FACES = schema.kept


def load(connection: Connection, id: int) -> Kept:
    """`NotFoundError` if it is not there, or hidden."""
    found = loaded(connection, select(FACES).where(FACES.c.id == id, ~FACES.c.hidden))
    if not found:
        raise NotFoundError(f"there is no kept face {id}")
    return found[0]


def page(connection: Connection, query: Select, limit: int) -> Page:
    """The newest `limit` of those that a query like that of `chosen` finds."""
    found = loaded(connection, query.order_by(FACES.c.id.desc()).limit(limit + 1))
    return Page(tuple(found[:limit]), more=len(found) > limit)


def chosen(
    favourite: bool | None = None,
    collection: int | None = None,
    text: str = "",
    before: int | None = None,
) -> Select:
    """Kept faces that are not hidden; `text` is looked for in story and run, in any case."""
    query = select(FACES).where(~FACES.c.hidden)
    if favourite is not None:
        query = query.where(FACES.c.favourite == favourite)
    if collection is not None:
        members = select(schema.members.c.kept).where(schema.members.c.collection == collection)
        query = query.where(FACES.c.id.in_(members))
    if text:
        said = FACES.c.story + "\n" + FACES.c.run
        query = query.where(func.instr(func.fold(said), func.fold(text)) > 0)
    if before is not None:
        query = query.where(FACES.c.id < before)
    return query


def loaded(connection: Connection, query: Select) -> list[Kept]:
    """All that a query of whole rows of `kept` finds, with their parents and collections."""
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    parents: dict[int, list[Parent]] = {id: [] for id in ids}
    for child, parent, share in connection.execute(_parents_of(ids)):
        parents[child].append(Parent(parent, share))
    groups: dict[int, list[int]] = {id: [] for id in ids}
    for face, collection in connection.execute(_collections_of(ids)):
        groups[face].append(collection)
    return [_record(dict(row), parents[row["id"]], groups[row["id"]]) for row in rows]


def among(ids: Iterable[int]) -> Select:
    """Any number of ids, for `IN`: as one parameter, of which SQLite bounds the number."""
    return select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value)


def _parents_of(ids: Sequence[int]) -> Select:
    table = schema.parents.c
    query = select(table.child, table.parent, table.share).where(table.child.in_(among(ids)))
    return query.order_by(table.child, table.place)


def _collections_of(ids: Sequence[int]) -> Select:
    table = schema.members.c
    query = select(table.kept, table.collection).where(table.kept.in_(among(ids)))
    return query.order_by(table.kept, table.collection)


def _record(row: Mapping[Any, Any], parents: list[Parent], collections: list[int]) -> Kept:
    plain = {name: row[name] for name in ("id", "story", "favourite", "created", "updated")}
    return Kept(
        **plain,
        face=Face.from_query(row["face"]),
        how=row["how"],
        parents=tuple(parents),
        collections=tuple(collections),
        hidden=row["hidden"],
    )
