"""Changes of kept faces, within a transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.family import forget_the_forgotten, link
from anime_dcgan.studio.store.reading import load
from anime_dcgan.studio.store.records import How
from anime_dcgan.system.errors import NotFoundError

FACES = schema.kept


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def put(connection: Connection, face: Face, thumb: bytes) -> int:
    """The id of a face that is there, with its picture, or is put there now."""
    return locate(connection, face) or new(connection, face, thumb)


def new(connection: Connection, face: Face, thumb: bytes, hidden: bool = False) -> int:
    """The id of a face that was not there."""
    values = {
        **{"face": face.to_query(), "run": face.run, "story": "", "favourite": False},
        **{"how": None, "hidden": hidden, "created": (moment := now()), "updated": moment},
    }
    id = connection.scalar(insert(FACES).values(values).returning(FACES.c.id))
    assert id is not None
    connection.execute(insert(schema.thumbs).values(kept=id, png=thumb))
    return id


def show(connection: Connection, id: int) -> bool:
    """Take a face out of hiding, if it is there; returns whether it was."""
    hidden = update(FACES).where(FACES.c.id == id, FACES.c.hidden)
    return connection.execute(hidden.values(hidden=False, updated=now())).rowcount > 0


def locate(connection: Connection, face: Face) -> int | None:
    """Its id, hidden or not."""
    return connection.scalar(select(FACES.c.id).where(FACES.c.face == face.to_query()))


def relate(
    connection: Connection, child: int, how: How | None, parents: Mapping[int, float] | None
) -> None:
    """Say what made it of whom; None leaves that as it is.

    Of parents that all descend from it nothing is taken, `how` neither: it was there before them.
    """
    if parents is not None and not link(connection, child, parents):
        return
    values = {"how": how} if how is not None else {}
    if values or parents is not None:
        changed = update(FACES).where(FACES.c.id == child)
        connection.execute(changed.values(**values, updated=now()))


def change(connection: Connection, id: int, story: str | None, favourite: bool | None) -> None:
    values = {"story": story, "favourite": favourite}
    given = {name: value for name, value in values.items() if value is not None}
    visible = update(FACES).where(FACES.c.id == id, ~FACES.c.hidden)
    if given and not connection.execute(visible.values(**given, updated=now())).rowcount:
        raise NotFoundError(f"there is no kept face {id}")


def remove(connection: Connection, id: int) -> None:
    """It goes wholly, or becomes a hidden ancestor where others descend from it."""
    load(connection, id)
    connection.execute(delete(schema.members).where(schema.members.c.kept == id))
    hidden = {"hidden": True, "story": "", "favourite": False, "updated": now()}
    connection.execute(update(FACES).where(FACES.c.id == id).values(hidden))
    forget_the_forgotten(connection)
