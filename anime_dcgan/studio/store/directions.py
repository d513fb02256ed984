"""User-given names of the directions of generators, inside a transaction."""

from collections.abc import Iterable, Set

from sqlalchemy import Connection, Row, Select, select
from sqlalchemy.dialects.sqlite import insert

from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.records import DirectionName

TABLE = schema.directions
COLUMNS = (TABLE.c.direction, TABLE.c.name, TABLE.c.vector)


def load_names(connection: Connection, digest: str) -> list[DirectionName]:
    """Return the names of a generator's directions."""
    return _load(connection, select(*COLUMNS).where(TABLE.c.digest == digest))


def load_names_of_runs(connection: Connection, runs: Set[str], without: str) -> list[DirectionName]:
    """Return the names of directions of all generators of runs, except one by its digest."""
    is_other = TABLE.c.digest != without
    return _load(connection, select(*COLUMNS).where(TABLE.c.run.in_(runs), is_other))


def set_name(connection: Connection, digest: str, run: str, name: DirectionName) -> None:
    """Set or replace the name of a direction."""
    key = {"digest": digest, "direction": name.direction}
    values = {"name": name.text, "run": run, "vector": name.vector}
    row = insert(TABLE).values(**key, **values)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))


def _load(connection: Connection, query: Select) -> list[DirectionName]:
    rows: Iterable[Row] = connection.execute(query.order_by(TABLE.c.digest, TABLE.c.direction))
    return [DirectionName(row.direction, row.name, row.vector) for row in rows]
