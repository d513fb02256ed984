"""The database tables.

Every change here needs a matching revision in `migrations/versions`; a test compares the two.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import Index

metadata = MetaData(
    naming_convention={
        "ck": "%(table_name)s_%(constraint_name)s",
        "ix": "%(table_name)s_%(column_0_name)s",
    }
)


saved = Table(
    "saved",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("face", Text, nullable=False, unique=True, comment="query string of the face"),
    Column("run", Text, nullable=False),
    Column("story", Text, nullable=False),
    Column("favourite", Boolean, nullable=False),
    Column("how", String(20)),
    Column("hidden", Boolean, nullable=False, comment="removed, but still an ancestor of others"),
    Column("created", String(40), nullable=False),
    Column("updated", String(40), nullable=False),
    Column(
        "key", Text, nullable=False, server_default="", comment="`Face.key`, by which it is found"
    ),
    Column("digest", String(20), comment="of the weights of its generator"),
    Column("name", String(200), nullable=False, server_default=""),
    Column("forgotten", String(40), comment="when it was removed, while that can be undone"),
    sqlite_autoincrement=True,  # ids of removed faces are never reused
)
Index("saved_hidden", saved.c.hidden, sqlite_where=text("hidden"))
Index("saved_key", saved.c.key, unique=True)

thumbs = Table(
    "thumbs",
    metadata,
    Column("face", ForeignKey("saved.id", ondelete="CASCADE"), primary_key=True),
    Column("png", LargeBinary, nullable=False),
)

parents = Table(
    "parents",
    metadata,
    Column("child", ForeignKey("saved.id", ondelete="CASCADE"), primary_key=True),
    Column("parent", ForeignKey("saved.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("position", Integer, nullable=False, comment="index in the given order"),
    Column("share", Float, nullable=False),
    CheckConstraint("child <> parent", name="not_of_itself"),
)

collections = Table(
    "collections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created", String(40), nullable=False),
    sqlite_autoincrement=True,
)

members = Table(
    "members",
    metadata,
    Column("collection", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("face", ForeignKey("saved.id", ondelete="CASCADE"), primary_key=True, index=True),
)

directions = Table(
    "direction_names",
    metadata,
    Column("digest", String(20), primary_key=True),
    Column("direction", String(20), primary_key=True),
    Column("name", String(200), nullable=False, comment="empty for none, not even another epoch's"),
    Column("run", Text, nullable=False, server_default=""),
    Column(
        "vector",
        LargeBinary,
        nullable=False,
        server_default=text("x''"),
        comment="float32, pointing to the side that has the name",
    ),
)
