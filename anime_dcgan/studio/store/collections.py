"""Operations on collections and their members, inside a transaction."""

from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.faces import now
from anime_dcgan.studio.store.queries import load_face
from anime_dcgan.studio.store.records import Collection, NameTakenError
from anime_dcgan.studio.store.validation import MAX_NAME_LENGTH
from anime_dcgan.system.errors import NotFoundError

COLLECTIONS, MEMBERS, HIDDEN = schema.collections, schema.members, schema.saved.c.hidden


def load_collections(connection: Connection) -> list[Collection]:
    """Return all collections, ordered by name."""
    found = [Collection(*row) for row in connection.execute(_select_with_counts())]
    return sorted(found, key=lambda collection: (collection.name.casefold(), collection.id))


def load_collection(connection: Connection, id: int) -> Collection:
    """Return a collection; raise `NotFoundError` if there is none with this id."""
    row = connection.execute(_select_with_counts().where(COLLECTIONS.c.id == id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no collection {id}")
    return Collection(*row)


def create_collection(connection: Connection, name: str) -> int:
    """Return the id of a new collection; raise `NameTakenError` if the name is in use."""
    values = {"name": name, "created": now()}
    try:
        id = connection.scalar(insert(COLLECTIONS).values(values).returning(COLLECTIONS.c.id))
    except IntegrityError:
        raise NameTakenError(f"a collection named {name!r} already exists") from None
    assert id is not None
    return id


def rename_collection(connection: Connection, id: int, name: str) -> None:
    """Rename a collection; raise `NameTakenError` if another one has the name."""
    load_collection(connection, id)
    try:
        connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.id == id).values(name=name))
    except IntegrityError:
        raise NameTakenError(f"a collection named {name!r} already exists") from None


def delete_collection(connection: Connection, id: int) -> None:
    """Delete a collection; its faces stay saved."""
    if not connection.execute(delete(COLLECTIONS).where(COLLECTIONS.c.id == id)).rowcount:
        raise NotFoundError(f"there is no collection {id}")


def add_member(connection: Connection, collection: int, face: int) -> None:
    """Add a saved face to a collection, if it is not in it yet."""
    load_collection(connection, collection)
    load_face(connection, face)
    row = sqlite_insert(MEMBERS).values(collection=collection, face=face)
    connection.execute(row.on_conflict_do_nothing())


def remove_member(connection: Connection, collection: int, face: int) -> None:
    """Remove a saved face from a collection, if it is in it."""
    load_collection(connection, collection)
    member = (MEMBERS.c.collection == collection) & (MEMBERS.c.face == face)
    connection.execute(delete(MEMBERS).where(member))


def unused_name(connection: Connection, name: str) -> str:
    """Return the name itself or, if it is taken, with the lowest free number appended."""
    taken = set(connection.scalars(select(COLLECTIONS.c.name)))
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        suffix = f" ({number})"
        candidate = name[: MAX_NAME_LENGTH - len(suffix)].rstrip() + suffix
    return candidate


def _select_with_counts() -> Select:
    visible = select(func.count()).select_from(MEMBERS).join(schema.saved).where(~HIDDEN)
    count = visible.where(MEMBERS.c.collection == COLLECTIONS.c.id).scalar_subquery()
    table = COLLECTIONS.c
    return select(table.id, table.name, count, table.created)
