"""User-given names of the directions of a generator, inside a transaction."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from anime_dcgan.explore.face import check_epoch, check_run, check_weights
from anime_dcgan.studio.store import schema

TABLE = schema.directions


def check_generator(run: Any, epoch: Any, weights: Any) -> None:
    """Raise `UserError` unless the values can identify a generator."""
    check_run(run)
    check_epoch(epoch)
    check_weights(weights)


def load_names(connection: Connection, run: str, epoch: str, weights: str) -> dict[str, str]:
    """Return the names by direction id."""
    query = select(TABLE.c.direction, TABLE.c.name).where(*_of_generator(run, epoch, weights))
    return {direction: name for direction, name in connection.execute(query)}


def set_name(
    connection: Connection, run: str, epoch: str, weights: str, direction: str, name: str | None
) -> None:
    """Set or replace the name of a direction; None deletes it."""
    if name is None:
        row = [*_of_generator(run, epoch, weights), TABLE.c.direction == direction]
        connection.execute(delete(TABLE).where(*row))
        return
    key = {"run": run, "epoch": epoch, "weights": weights, "direction": direction}
    row = insert(TABLE).values(**key, name=name)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_={"name": name}))


def _of_generator(run: str, epoch: str, weights: str) -> list[ColumnElement[bool]]:
    return [TABLE.c.run == run, TABLE.c.epoch == epoch, TABLE.c.weights == weights]
