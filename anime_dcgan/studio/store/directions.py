"""User-given names of the directions of a generator, inside a transaction."""

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from anime_dcgan.studio.store import schema

TABLE = schema.directions


def load_names(connection: Connection, digest: str) -> dict[str, str]:
    """Return the names by direction id."""
    query = select(TABLE.c.direction, TABLE.c.name).where(TABLE.c.digest == digest)
    return {direction: name for direction, name in connection.execute(query)}


def set_name(connection: Connection, digest: str, direction: str, name: str | None) -> None:
    """Set or replace the name of a direction; None deletes it."""
    if name is None:
        row = (TABLE.c.digest == digest, TABLE.c.direction == direction)
        connection.execute(delete(TABLE).where(*row))
        return
    key = {"digest": digest, "direction": direction}
    row = insert(TABLE).values(**key, name=name)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_={"name": name}))
