"""The way in: every method is one transaction, and may be called from any thread."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from sqlalchemy import select

from anime_dcgan.explore.face import Face, check_direction
from anime_dcgan.studio.store import collections, directions, faces, reading, schema
from anime_dcgan.studio.store.checks import (
    MOST_LISTED,
    added_shares,
    canonical,
    checked_how,
    checked_id,
    checked_name,
    checked_story,
    checked_thumb,
)
from anime_dcgan.studio.store.database import Database
from anime_dcgan.studio.store.family import forget_the_forgotten, relatives
from anime_dcgan.studio.store.records import Collection, Family, How, Kept, Page
from anime_dcgan.system.errors import NotFoundError, UserError


class Store:
    """The studio's database in one SQLite file, created or migrated as needed.

    Raises `NotFoundError` for an unknown id, `Taken` if another collection has the name, and
    `UserError` for any other mistake of the caller.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def keep(
        self,
        face: Face,
        thumb: bytes,
        story: str | None = None,
        favourite: bool | None = None,
        how: How | None = None,
        parents: Iterable[tuple[Face, bytes, float]] | None = None,
    ) -> Kept:
        """Keep a face; one that is there already stays, with what is given (not None) changed.

        Parameters:
            thumb: its picture as PNG. Who is there already keeps its own.
            parents: face, picture and share of each; they are kept too. One that was removed stays
                so, as an ancestor. Whoever descends from `face`, and `face` itself, is left out.
        """
        face, thumb, how = canonical(face), checked_thumb(thumb), checked_how(how)
        story = None if story is None else checked_story(story)
        given = None if parents is None else list(parents)
        shares = added_shares((parent, share) for parent, _, share in given or ())
        thumbs = {canonical(parent): checked_thumb(png) for parent, png, _ in given or ()}
        with self.database.write() as connection:
            # Parents first: older than their child in every list.
            ids = {faces.put(connection, one, thumbs[one]): share for one, share in shares.items()}
            id = faces.put(connection, face, thumb)
            faces.show(connection, id)
            faces.relate(connection, id, how, None if given is None else ids)
            faces.change(connection, id, story, favourite)
            if given is not None:
                forget_the_forgotten(connection)  # hidden parents that it has no more
            return reading.load(connection, id)

    def find(self, face: Face) -> Kept | None:
        """The same face, if it is kept and not hidden."""
        with self.database.read() as connection:
            query = reading.chosen().where(reading.FACES.c.face == canonical(face).to_query())
            found = reading.loaded(connection, query)
        return found[0] if found else None

    def get(self, id: int) -> Kept:
        """`NotFoundError` also for one that is hidden."""
        with self.database.read() as connection:
            return reading.load(connection, checked_id(id, "kept face"))

    def thumb(self, id: int) -> bytes:
        """The PNG that was stored with it, also of one that is hidden."""
        query = select(schema.thumbs.c.png)
        with self.database.read() as connection:
            png = connection.scalar(
                query.where(schema.thumbs.c.kept == checked_id(id, "kept face"))
            )
        if png is None:
            raise NotFoundError(f"there is no kept face {id}")
        return png

    def change(self, id: int, story: str | None = None, favourite: bool | None = None) -> Kept:
        """Change what is given."""
        story = None if story is None else checked_story(story)
        with self.database.write() as connection:
            faces.change(connection, checked_id(id, "kept face"), story, favourite)
            return reading.load(connection, id)

    def remove(self, id: int) -> None:
        """Forget a face, its story and its place in collections.

        Its descendants stay. Their trees stay whole too: while any of them is kept, it is a hidden
        ancestor in `family`, with its picture; after the last it goes. Kept again, it is back.
        """
        with self.database.write() as connection:
            faces.remove(connection, checked_id(id, "kept face"))

    def browse(
        self,
        favourite: bool | None = None,
        collection: int | None = None,
        text: str = "",
        limit: int = 200,
        before: int | None = None,
    ) -> Page:
        """Kept faces, newest first, that fit all that is given.

        Parameters:
            text: looked for in story and run; upper and lower case are the same.
            limit: 1 to 1000.
            before: the id of the last one of the page before.
        """
        if not 1 <= limit <= MOST_LISTED:
            raise UserError(f"limit={limit!s:.20} is not within 1 to {MOST_LISTED}")
        checked_story(text)
        before = None if before is None else checked_id(before, "kept face")
        with self.database.read() as connection:
            if collection is not None:
                collections.load_collection(connection, checked_id(collection, "collection"))
            query = reading.chosen(favourite, collection, text, before)
            return reading.page(connection, query, limit)

    def family(self, id: int) -> Family:
        """Its ancestors and descendants, and itself; it may be hidden."""
        with self.database.read() as connection:
            return relatives(connection, checked_id(id, "kept face"))

    def collections(self) -> list[Collection]:
        """All, by name."""
        with self.database.read() as connection:
            return collections.everything(connection)

    def collection(self, id: int) -> Collection:
        with self.database.read() as connection:
            return collections.load_collection(connection, checked_id(id, "collection"))

    def create_collection(self, name: str) -> Collection:
        name = checked_name(name)
        with self.database.write() as connection:
            return collections.load_collection(connection, collections.create(connection, name))

    def rename_collection(self, id: int, name: str) -> Collection:
        name = checked_name(name)
        with self.database.write() as connection:
            collections.rename(connection, checked_id(id, "collection"), name)
            return collections.load_collection(connection, id)

    def delete_collection(self, id: int) -> None:
        """The faces in it stay kept."""
        with self.database.write() as connection:
            collections.drop(connection, checked_id(id, "collection"))

    def add_to_collection(self, id: int, face: int) -> None:
        """Put a kept face, by its id, into a collection; one that is in it stays."""
        checked_id(id, "collection")
        with self.database.write() as connection:
            collections.add(connection, id, checked_id(face, "kept face"))

    def take_from_collection(self, id: int, face: int) -> None:
        """The face stays kept; one that is not in the collection is no mistake."""
        checked_id(id, "collection")
        with self.database.write() as connection:
            collections.take_out(connection, id, checked_id(face, "kept face"))

    def name_direction(
        self, run: str, epoch: str, weights: str, direction: str, name: str | None
    ) -> None:
        """Name a direction (`sefa.0`) of a generator; None takes the name away."""
        directions.check_generator(run, epoch, weights)
        check_direction(direction)
        name = None if name is None else checked_name(name)
        with self.database.write() as connection:
            directions.give_name(connection, run, epoch, weights, direction, name)

    def direction_names(self, run: str, epoch: str, weights: str) -> dict[str, str]:
        """The names given, by the direction's id."""
        directions.check_generator(run, epoch, weights)
        with self.database.read() as connection:
            return directions.names(connection, run, epoch, weights)
