"""The entry point of the database: every method is one transaction and thread-safe."""

from collections.abc import Iterable, Set
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from sqlalchemy import select

from anime_dcgan.explore.face import Face, check_digest, check_direction
from anime_dcgan.studio.store import collections, directions, faces, queries, schema
from anime_dcgan.studio.store.database import Database
from anime_dcgan.studio.store.family import delete_unreferenced, load_family
from anime_dcgan.studio.store.records import (
    Collection,
    DirectionName,
    Family,
    Method,
    Page,
    SavedFace,
)
from anime_dcgan.studio.store.validation import (
    MAX_PAGE_SIZE,
    canonical,
    merge_parents,
    normalise_name,
    reencode_thumb,
    validate_face_name,
    validate_id,
    validate_method,
    validate_story,
)
from anime_dcgan.system.errors import NotFoundError, UserError


class Store:
    """The studio's database in one SQLite file, created or migrated as needed.

    Methods raise `NotFoundError` for an unknown id, `NameTakenError` if another collection has the
    name, and `UserError` for any other invalid argument.

    Parameters:
        unsaved: the reason for which every change is refused, or None.
    """

    def __init__(self, path: Path, unsaved: str | None = None) -> None:
        self.database = Database(path)
        with self.database.write() as connection:
            faces.purge(connection)
        self.unsaved = self.database.refusal = unsaved

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

    def save(
        self,
        face: Face,
        thumb: bytes,
        story: str | None = None,
        favourite: bool | None = None,
        how: Method | None = None,
        parents: Iterable[tuple[Face, bytes, float]] | None = None,
        name: str | None = None,
        hide_parents: bool = False,
    ) -> SavedFace:
        """Save a face; if it is already saved, update only the arguments that are not None.

        Parameters:
            thumb: its picture as PNG, ignored if the face is already saved.
            parents: face, picture and share of each parent. Parents are saved too; one that was
                removed stays hidden. The face itself and its descendants are skipped.
            hide_parents: save new parents as ancestors only, which no list shows.
        """
        face, thumb, how = canonical(face), reencode_thumb(thumb), validate_method(how)
        story = None if story is None else validate_story(story)
        name = None if name is None else validate_face_name(name)
        given = None if parents is None else list(parents)
        shares = merge_parents((parent, share) for parent, _, share in given or ())
        thumbs = {canonical(parent): reencode_thumb(png) for parent, png, _ in given or ()}
        with self.database.write() as connection:
            faces.purge(connection)
            # Parents first, so that lists show them as older than their child.
            ids = {
                faces.get_or_create(connection, parent, thumbs[parent], hide_parents): share
                for parent, share in shares.items()
            }
            id = faces.get_or_create(connection, face, thumb)
            faces.unhide(connection, id)
            faces.set_parents(connection, id, how, None if given is None else ids)
            faces.change(connection, id, story, favourite, name)
            if given is not None:
                delete_unreferenced(connection)  # hidden parents that were replaced
            return queries.load_face(connection, id)

    def find(self, face: Face) -> SavedFace | None:
        """Return the saved face equal to `face`; None if it is not saved, or hidden."""
        with self.database.read() as connection:
            query = queries.select_visible()
            query = query.where(queries.FACES.c.key == canonical(face).key)
            found = queries.load_faces(connection, query)
        return found[0] if found else None

    def get(self, id: int) -> SavedFace:
        """Return a saved face; raise `NotFoundError` if it is missing or hidden."""
        with self.database.read() as connection:
            return queries.load_face(connection, validate_id(id, "saved face"))

    def thumb(self, id: int) -> bytes:
        """Return the stored PNG of a saved face, hidden or not."""
        query = select(schema.thumbs.c.png)
        with self.database.read() as connection:
            png = connection.scalar(
                query.where(schema.thumbs.c.face == validate_id(id, "saved face"))
            )
        if png is None:
            raise NotFoundError(f"there is no saved face {id}")
        return png

    def picture(self, face: Face) -> bytes | None:
        """Return the stored PNG of a face, hidden or not; None if it is not in the database."""
        query = select(schema.thumbs.c.png).join(schema.saved)
        with self.database.read() as connection:
            return connection.scalar(query.where(schema.saved.c.key == canonical(face).key))

    def digests(self) -> set[str]:
        """Return the digests of the generators of all faces, hidden or not."""
        query = select(schema.saved.c.digest).where(schema.saved.c.digest.is_not(None))
        with self.database.read() as connection:
            return set(connection.scalars(query.distinct()))

    def change(
        self,
        id: int,
        story: str | None = None,
        favourite: bool | None = None,
        name: str | None = None,
    ) -> SavedFace:
        """Update the arguments that are not None, and return the saved face."""
        story = None if story is None else validate_story(story)
        name = None if name is None else validate_face_name(name)
        with self.database.write() as connection:
            faces.change(connection, validate_id(id, "saved face"), story, favourite, name)
            return queries.load_face(connection, id)

    def remove(self, id: int) -> None:
        """Remove a face with its story and its memberships.

        While any of its descendants is saved, the face stays in `family` as a hidden ancestor with
        its picture; after the last of them it is deleted. Saving it again makes it visible.
        """
        with self.database.write() as connection:
            faces.remove(connection, validate_id(id, "saved face"))

    def forget(self, ids: Iterable[int]) -> int:
        """Remove faces so that `restore` brings them back for a while; return their number.

        Unknown and hidden faces are skipped.
        """
        some = [validate_id(id, "saved face") for id in ids]
        with self.database.write() as connection:
            faces.purge(connection)
            return faces.forget(connection, some)

    def restore(self, ids: Iterable[int]) -> int:
        """Bring forgotten faces back with their texts, families and collections."""
        some = [validate_id(id, "saved face") for id in ids]
        with self.database.write() as connection:
            return faces.restore(connection, some)

    def browse(
        self,
        favourite: bool | None = None,
        collection: int | None = None,
        text: str = "",
        limit: int = 200,
        before: int | None = None,
    ) -> Page:
        """Return the saved faces that match all the arguments, newest first.

        Parameters:
            text: substring of the name, the story or the run, ignoring case.
            limit: page size, 1 to 1000.
            before: id of the last face on the previous page.
        """
        if not 1 <= limit <= MAX_PAGE_SIZE:
            raise UserError(f"limit={limit!s:.20} must be from 1 to {MAX_PAGE_SIZE}")
        validate_story(text)
        before = None if before is None else validate_id(before, "saved face")
        with self.database.read() as connection:
            if collection is not None:
                collections.load_collection(connection, validate_id(collection, "collection"))
            query = queries.select_visible(favourite, collection, text, before)
            return queries.load_page(connection, query, limit)

    def family(self, id: int) -> Family:
        """Return a saved face, hidden or not, with its ancestors and descendants."""
        with self.database.read() as connection:
            return load_family(connection, validate_id(id, "saved face"))

    def collections(self) -> list[Collection]:
        """Return all collections, ordered by name."""
        with self.database.read() as connection:
            return collections.load_collections(connection)

    def collection(self, id: int) -> Collection:
        with self.database.read() as connection:
            return collections.load_collection(connection, validate_id(id, "collection"))

    def create_collection(self, name: str) -> Collection:
        name = normalise_name(name)
        with self.database.write() as connection:
            id = collections.create_collection(connection, name)
            return collections.load_collection(connection, id)

    def rename_collection(self, id: int, name: str) -> Collection:
        name = normalise_name(name)
        with self.database.write() as connection:
            collections.rename_collection(connection, validate_id(id, "collection"), name)
            return collections.load_collection(connection, id)

    def delete_collection(self, id: int) -> None:
        """Delete a collection; its faces stay saved."""
        with self.database.write() as connection:
            collections.delete_collection(connection, validate_id(id, "collection"))

    def add_to_collection(self, id: int, face: int) -> None:
        """Add a saved face, by its id, to a collection; a repeated call has no effect."""
        validate_id(id, "collection")
        with self.database.write() as connection:
            collections.add_member(connection, id, validate_id(face, "saved face"))

    def remove_from_collection(self, id: int, face: int) -> None:
        """Remove a face from a collection, if it is in it; the face stays saved."""
        validate_id(id, "collection")
        with self.database.write() as connection:
            collections.remove_member(connection, id, validate_id(face, "saved face"))

    def name_direction(self, digest: str, run: str, name: DirectionName) -> None:
        """Set the name of a direction of a generator of a run."""
        check_digest(digest)
        check_direction(name.direction)
        text = normalise_name(name.text) if name.text else ""
        with self.database.write() as connection:
            directions.set_name(connection, digest, run, replace(name, text=text))

    def direction_names(self, digest: str) -> list[DirectionName]:
        """Return the names of a generator's directions."""
        with self.database.read() as connection:
            return directions.load_names(connection, digest)

    def direction_names_of(self, runs: Set[str], without: str) -> list[DirectionName]:
        """Return the names of directions of all generators of runs, except one by its digest."""
        with self.database.read() as connection:
            return directions.load_names_of_runs(connection, runs, without)
