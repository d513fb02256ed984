"""Collections and the faces in them, within a transaction."""

from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.exc import IntegrityError

from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.checks import LONGEST_NAME
from anime_dcgan.studio.store.faces import now
from anime_dcgan.studio.store.reading import load
from anime_dcgan.studio.store.records import Collection, Taken
from anime_dcgan.system.errors import NotFoundError

COLLECTIONS, MEMBERS = schema.collections, schema.members


def everything(connection: Connection) -> list[Collection]:
    """All, by their names."""
    rows = connection.execute(_counted())
    found = [Collection(*row) for row in rows]
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))


def load_collection(connection: Connection, id: int) -> Collection:
    row = connection.execute(_counted().where(COLLECTIONS.c.id == id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no collection {id}")
    return Collection(*row)


def create(connection: Connection, name: str) -> int:
    """Its id; `Taken` if the name is."""
    values = {"name": name, "created": now()}
    try:
        id = connection.scalar(insert(COLLECTIONS).values(values).returning(COLLECTIONS.c.id))
    except IntegrityError:
        raise Taken(f"there is a collection {name!r} already") from None
    assert id is not None
    return id


def rename(connection: Connection, id: int, name: str) -> None:
    load_collection(connection, id)
    try:
        connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.id == id).values(name=name))
    except IntegrityError:
        raise Taken(f"there is a collection {name!r} already") from None


def drop(connection: Connection, id: int) -> None:
    """The faces in it stay kept."""
    if not connection.execute(delete(COLLECTIONS).where(COLLECTIONS.c.id == id)).rowcount:
        raise NotFoundError(f"there is no collection {id}")


def add(connection: Connection, collection: int, face: int) -> None:
    load_collection(connection, collection)
    load(connection, face)
    row = insert_or(MEMBERS).values(collection=collection, kept=face)
    connection.execute(row.on_conflict_do_nothing())


def take_out(connection: Connection, collection: int, face: int) -> None:
    load_collection(connection, collection)
    here = (MEMBERS.c.collection == collection) & (MEMBERS.c.kept == face)
    connection.execute(delete(MEMBERS).where(here))


def free_name(connection: Connection, name: str) -> str:
    """The name itself, or with the lowest number behind it that nobody has."""
    taken = set(connection.scalars(select(COLLECTIONS.c.name)))
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        ending = f" ({number})"
        candidate = name[: LONGEST_NAME - len(ending)].rstrip() + ending
    return candidate


def _counted() -> Select:
    count = select(func.count()).where(MEMBERS.c.collection == COLLECTIONS.c.id).scalar_subquery()
    table = COLLECTIONS.c
    return select(table.id, table.name, count, table.created)
