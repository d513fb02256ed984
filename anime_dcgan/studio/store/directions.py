"""Names that somebody gave to directions of a generator, within a transaction."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from anime_dcgan.explore.face import check_epoch, check_run, check_weights
from anime_dcgan.studio.store import schema

TABLE = schema.directions


def check_generator(run: Any, epoch: Any, weights: Any) -> None:
    check_run(run)
    check_epoch(epoch)
    check_weights(weights)


def names(connection: Connection, run: str, epoch: str, weights: str) -> dict[str, str]:
    """By the id of the direction."""
    query = select(TABLE.c.direction, TABLE.c.name).where(*_of(run, epoch, weights))
    return {direction: name for direction, name in connection.execute(query)}


def give_name(
    connection: Connection, run: str, epoch: str, weights: str, direction: str, name: str | None
) -> None:
    """In place of the one it has; None takes that away."""
    if name is None:
        this = [*_of(run, epoch, weights), TABLE.c.direction == direction]
        connection.execute(delete(TABLE).where(*this))
        return
    key = {"run": run, "epoch": epoch, "weights": weights, "direction": direction}
    row = insert(TABLE).values(**key, name=name)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_={"name": name}))


def _of(run: str, epoch: str, weights: str) -> list[ColumnElement[bool]]:
    return [TABLE.c.run == run, TABLE.c.epoch == epoch, TABLE.c.weights == weights]
