"""Changes to saved faces, inside a transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store import schema
from anime_dcgan.studio.store.family import delete_unreferenced, replace_parents
from anime_dcgan.studio.store.queries import id_list, load_face
from anime_dcgan.studio.store.records import Method
from anime_dcgan.system.errors import NotFoundError

FACES = schema.saved
RESTORABLE = timedelta(minutes=1)
"""Time for which a forgotten face can be restored at least; the page offers it for ten seconds."""


def now() -> str:
    """Return the current time in UTC as ISO 8601 text."""
    return _time(datetime.now(UTC))


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def get_or_create(connection: Connection, face: Face, thumb: bytes, hidden: bool = False) -> int:
    """Return the id of a face, which is stored with its picture if it is new, hidden or not."""
    return find_id(connection, face) or create(connection, face, thumb, hidden)


def create(connection: Connection, face: Face, thumb: bytes, hidden: bool = False) -> int:
    """Store a new face with its picture and return its id."""
    values = {
        **{"face": face.to_query(), "key": face.key, "run": face.run, "digest": face.digest},
        **{"name": "", "story": "", "favourite": False},
        **{"how": None, "hidden": hidden, "created": (moment := now()), "updated": moment},
    }
    id = connection.scalar(insert(FACES).values(values).returning(FACES.c.id))
    assert id is not None
    connection.execute(insert(schema.thumbs).values(face=id, png=thumb))
    return id


def unhide(connection: Connection, id: int) -> bool:
    """Make a hidden face visible again; return True if it was hidden."""
    hidden = update(FACES).where(FACES.c.id == id, FACES.c.hidden)
    shown = hidden.values(hidden=False, forgotten=None, updated=now())
    return connection.execute(shown).rowcount > 0


def find_id(connection: Connection, face: Face) -> int | None:
    """Return the id of a face, hidden or not; None if it is not in the database."""
    return connection.scalar(select(FACES.c.id).where(FACES.c.key == face.key))


def set_parents(
    connection: Connection, child: int, how: Method | None, parents: Mapping[int, float] | None
) -> None:
    """Set how a face was made, and from which parents; None leaves a value unchanged.

    If all the parents descend from the face, nothing changes, `how` included: the face existed
    before them.
    """
    if parents is not None and not replace_parents(connection, child, parents):
        return
    values = {"how": how} if how is not None else {}
    if values or parents is not None:
        changed = update(FACES).where(FACES.c.id == child)
        connection.execute(changed.values(**values, updated=now()))


def change(
    connection: Connection,
    id: int,
    story: str | None,
    favourite: bool | None,
    name: str | None = None,
) -> None:
    """Set the values that are not None; raise `NotFoundError` if the face is hidden or missing."""
    values = {"name": name, "story": story, "favourite": favourite}
    given = {key: value for key, value in values.items() if value is not None}
    visible = update(FACES).where(FACES.c.id == id, ~FACES.c.hidden)
    if given and not connection.execute(visible.values(**given, updated=now())).rowcount:
        raise NotFoundError(f"there is no saved face {id}")


def remove(connection: Connection, id: int) -> None:
    """Delete a face, or hide it if others descend from it."""
    load_face(connection, id)
    _hide_for_good(connection, [id])


def forget(connection: Connection, ids: Sequence[int]) -> int:
    """Hide faces with all they have, so that `restore` can show them again; return their number."""
    visible = update(FACES).where(FACES.c.id.in_(id_list(ids)), ~FACES.c.hidden)
    return connection.execute(visible.values(hidden=True, forgotten=now())).rowcount


def restore(connection: Connection, ids: Sequence[int]) -> int:
    """Show forgotten faces again; return the number of those that were not removed meanwhile."""
    forgotten = FACES.c.forgotten.is_not(None)
    hidden = update(FACES).where(FACES.c.id.in_(id_list(ids)), forgotten)
    return connection.execute(hidden.values(hidden=False, forgotten=None)).rowcount


def purge(connection: Connection) -> None:
    """Remove the faces for good that were forgotten some time ago."""
    before = _time(datetime.now(UTC) - RESTORABLE)
    ids = list(connection.scalars(select(FACES.c.id).where(FACES.c.forgotten < before)))
    if ids:
        _hide_for_good(connection, ids)


def _hide_for_good(connection: Connection, ids: Sequence[int]) -> None:
    some = id_list(ids)
    connection.execute(delete(schema.members).where(schema.members.c.face.in_(some)))
    texts = {"name": "", "story": "", "favourite": False, "forgotten": None}
    hidden = {"hidden": True, "updated": now(), **texts}
    connection.execute(update(FACES).where(FACES.c.id.in_(some)).values(hidden))
    delete_unreferenced(connection)
