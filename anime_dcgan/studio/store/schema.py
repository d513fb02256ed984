"""The tables. Whoever changes them writes a migration; a test holds both together."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A point in time, kept in UTC: SQLite knows no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""


class FaceRow(Base):
    __tablename__ = "face"

    id: Mapped[int] = mapped_column(primary_key=True)
    query: Mapped[str] = mapped_column(Text, unique=True)
    """What its link says: the face itself."""
    run: Mapped[str] = mapped_column(Text)
    story: Mapped[str] = mapped_column(Text, default="")
    favourite: Mapped[bool] = mapped_column(default=False)
    hidden: Mapped[bool] = mapped_column(default=False)
    how: Mapped[str | None] = mapped_column(String(20))
    created: Mapped[datetime] = mapped_column(Moment)
    updated: Mapped[datetime] = mapped_column(Moment)
    thumb: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)

    parents: Mapped[list["ParentRow"]] = relationship(
        foreign_keys="ParentRow.child_id", order_by="ParentRow.position", passive_deletes=True
    )
    memberships: Mapped[list["MemberRow"]] = relationship(
        order_by="MemberRow.collection_id", passive_deletes=True
    )


class ParentRow(Base):
    __tablename__ = "parent"
    __table_args__ = (Index("parent_of", "parent_id"),)

    child_id: Mapped[int] = mapped_column(
        ForeignKey("face.id", ondelete="CASCADE"), primary_key=True
    )
    parent_id: Mapped[int] = mapped_column(
        ForeignKey("face.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int]
    share: Mapped[float]


class CollectionRow(Base):
    __tablename__ = "collection"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(Moment)


class MemberRow(Base):
    __tablename__ = "member"
    __table_args__ = (Index("member_face", "face_id"),)

    collection_id: Mapped[int] = mapped_column(
        ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True
    )
    face_id: Mapped[int] = mapped_column(
        ForeignKey("face.id", ondelete="CASCADE"), primary_key=True
    )


class DirectionNameRow(Base):
    """Directions belong to a generator: another epoch has others under the same numbers."""

    __tablename__ = "direction_name"

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    epoch: Mapped[str] = mapped_column(String(20), primary_key=True)
    weights: Mapped[str] = mapped_column(String(10), primary_key=True)
    direction: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
