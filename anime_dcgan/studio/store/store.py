"""Keeping, finding, changing and forgetting."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session, selectinload

from anime_dcgan.errors import UserError
from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store import family
from anime_dcgan.studio.store.database import Database
from anime_dcgan.studio.store.records import (
    MOST_PARENTS,
    Collection,
    Family,
    How,
    Kept,
    NewFace,
    Parent,
    check_name,
    check_story,
)
from anime_dcgan.studio.store.schema import (
    CollectionRow,
    DirectionNameRow,
    FaceRow,
    MemberRow,
)

MOST_LISTED = 500


class NotKept(UserError):
    """A face or a collection that is not in the store, or not any more."""


class Store:
    """All that is kept, in one file. May be used from several threads.

    Each method is one transaction: it happened, or nothing did. Raises `UserError` for what
    cannot be kept, and `NotKept`.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path)

    def close(self) -> None:
        self.database.close()

    def keep(
        self,
        new: NewFace,
        story: str | None = None,
        favourite: bool | None = None,
        how: How | None = None,
        parents: Sequence[tuple[NewFace, float]] = (),
    ) -> Kept:
        """Keep a face; where it is kept already, change what is given.

        Parents that are not kept are taken in hidden. A face that has parents keeps them, and one
        that would become its own ancestor gets none.
        """
        if len(parents) > MOST_PARENTS:
            raise UserError(f"a face has at most {MOST_PARENTS} parents")
        with self.database.writing() as session:
            row = put(session, new, hidden=False)
            if story is not None:
                row.story = check_story(story)
            if favourite is not None:
                row.favourite = favourite
            if parents and not row.parents:
                row.how = how
                rows = [(put(session, one, hidden=True), share) for one, share in parents]
                family.adopt(session, row, rows)
            elif row.how is None:
                row.how = how
            session.flush()
            session.refresh(row)
            return to_kept(row)

    def find(self, face: Face) -> Kept | None:
        """The face in the store, hidden or not."""
        with self.database.reading() as session:
            row = session.scalar(_with_all().where(FaceRow.query == face.to_query()))
            return to_kept(row) if row else None

    def get(self, kept_id: int) -> Kept:
        with self.database.reading() as session:
            return to_kept(_face(session, kept_id))

    def thumb(self, kept_id: int) -> bytes:
        """The picture (PNG) that it was kept with."""
        with self.database.reading() as session:
            return _face(session, kept_id).thumb

    def change(self, kept_id: int, story: str | None = None, favourite: bool | None = None) -> Kept:
        with self.database.writing() as session:
            row = _face(session, kept_id)
            if story is not None:
                row.story = check_story(story)
            if favourite is not None:
                row.favourite = favourite
            row.hidden = False
            row.updated = datetime.now(UTC)
            return to_kept(row)

    def remove(self, kept_id: int) -> None:
        """Forget a face. As an ancestor it stays, hidden, so that its children's tree holds."""
        with self.database.writing() as session:
            family.remove(session, _face(session, kept_id))

    def faces(
        self,
        favourite: bool | None = None,
        collection: int | None = None,
        text: str = "",
        limit: int = 200,
        before: int | None = None,
    ) -> tuple[list[Kept], bool]:
        """Those kept last first, and whether there are more; `text` is in the story or the run."""
        wanted = _with_all().where(~FaceRow.hidden).order_by(FaceRow.id.desc())
        if favourite is not None:
            wanted = wanted.where(FaceRow.favourite == favourite)
        if collection is not None:
            members = select(MemberRow.face_id).where(MemberRow.collection_id == collection)
            wanted = wanted.where(FaceRow.id.in_(members))
        for word in text.split():
            wanted = wanted.where(
                or_(
                    FaceRow.story.icontains(word, autoescape=True),
                    FaceRow.run.icontains(word, autoescape=True),
                )
            )
        if before is not None:
            wanted = wanted.where(FaceRow.id < before)
        limit = max(1, min(limit, MOST_LISTED))
        with self.database.reading() as session:
            rows = session.scalars(wanted.limit(limit + 1)).all()
            return [to_kept(row) for row in rows[:limit]], len(rows) > limit

    def family(self, kept_id: int) -> Family:
        """Ancestors and descendants, at most `family.MOST` of each."""
        with self.database.reading() as session:
            _face(session, kept_id)
            numbers = family.relatives(session, kept_id)
            rows = session.scalars(_with_all().where(FaceRow.id.in_(numbers))).all()
            nodes = [to_kept(row) for row in rows]
        return Family(nodes, family.edges(nodes))

    def collections(self) -> list[Collection]:
        """All of them, by name."""
        count = (
            select(func.count())
            .select_from(MemberRow)
            .where(MemberRow.collection_id == CollectionRow.id)
            .scalar_subquery()
        )
        wanted = select(CollectionRow, count).order_by(func.lower(CollectionRow.name))
        with self.database.reading() as session:
            return [
                Collection(row.id, row.name, number, row.created)
                for row, number in session.execute(wanted)
            ]

    def collection(self, collection_id: int) -> Collection:
        found = [one for one in self.collections() if one.id == collection_id]
        if not found:
            raise NotKept("there is no such collection, or not any more")
        return found[0]

    def new_collection(self, name: str) -> Collection:
        with self.database.writing() as session:
            row = CollectionRow(name=check_name(name), created=datetime.now(UTC))
            session.add(row)
            session.flush()
            return Collection(row.id, row.name, 0, row.created)

    def rename_collection(self, collection_id: int, name: str) -> Collection:
        with self.database.writing() as session:
            _collection(session, collection_id).name = check_name(name)
        return self.collection(collection_id)

    def remove_collection(self, collection_id: int) -> None:
        """The collection; its faces stay kept."""
        with self.database.writing() as session:
            session.delete(_collection(session, collection_id))

    def put_into(self, collection_id: int, kept_id: int) -> None:
        with self.database.writing() as session:
            _collection(session, collection_id)
            _face(session, kept_id).hidden = False
            session.merge(MemberRow(collection_id=collection_id, face_id=kept_id))

    def take_out_of(self, collection_id: int, kept_id: int) -> None:
        with self.database.writing() as session:
            _collection(session, collection_id)
            session.execute(
                delete(MemberRow)
                .where(MemberRow.collection_id == collection_id)
                .where(MemberRow.face_id == kept_id)
            )

    def direction_names(self, run: str, epoch: str, weights: str) -> dict[str, str]:
        """Names of the directions of a generator, by their ids."""
        wanted = select(DirectionNameRow).filter_by(run=run, epoch=epoch, weights=weights)
        with self.database.reading() as session:
            return {row.direction: row.name for row in session.scalars(wanted)}

    def name_direction(
        self, run: str, epoch: str, weights: str, direction: str, name: str | None
    ) -> None:
        """None takes the name away."""
        key = {"run": run, "epoch": epoch, "weights": weights, "direction": direction}
        with self.database.writing() as session:
            if name is None:
                session.execute(delete(DirectionNameRow).filter_by(**key))
            else:
                session.merge(DirectionNameRow(**key, name=check_name(name)))


def put(session: Session, new: NewFace, hidden: bool) -> FaceRow:
    """The row of a face, made where there was none; what was hidden comes to light."""
    query, now = new.face.to_query(), datetime.now(UTC)
    row = session.scalar(_with_all().where(FaceRow.query == query))
    if row is None:
        row = FaceRow(
            **{"query": query, "run": new.face.run, "story": "", "favourite": False},
            **{"hidden": hidden, "created": now, "updated": now, "thumb": new.thumb},
        )
        session.add(row)
        session.flush()
    elif not hidden:
        row.hidden, row.updated = False, now
    return row


def to_kept(row: FaceRow) -> Kept:
    return Kept(
        id=row.id,
        face=Face.from_query(row.query),
        story=row.story,
        favourite=row.favourite,
        hidden=row.hidden,
        how=row.how,  # type: ignore[arg-type]
        created=row.created,
        updated=row.updated,
        parents=[Parent(one.parent_id, one.share) for one in row.parents],
        collections=[one.collection_id for one in row.memberships],
    )


def _with_all() -> Select[FaceRow]:
    return select(FaceRow).options(selectinload(FaceRow.parents), selectinload(FaceRow.memberships))


def _face(session: Session, kept_id: int) -> FaceRow:
    row = session.scalar(_with_all().where(FaceRow.id == kept_id))
    if row is None:
        raise NotKept("this face is not kept, or not any more")
    return row


def _collection(session: Session, collection_id: int) -> CollectionRow:
    row = session.get(CollectionRow, collection_id)
    if row is None:
        raise NotKept("there is no such collection, or not any more")
    return row
