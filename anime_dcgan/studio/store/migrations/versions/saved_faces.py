"""The initial schema: saved faces, their families and collections, and direction names."""

import sqlalchemy as sa
from alembic import op

revision = "saved_faces"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "saved",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("face", sa.Text(), nullable=False, unique=True),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("favourite", sa.Boolean(), nullable=False),
        sa.Column("how", sa.String(20)),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("updated", sa.String(40), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("saved_hidden", "saved", ["hidden"], sqlite_where=sa.text("hidden"))
    op.create_table(
        "thumbs",
        _face_key("face"),
        sa.Column("png", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "parents",
        _face_key("child"),
        _face_key("parent"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.CheckConstraint("child <> parent", name="parents_not_of_itself"),
    )
    op.create_index("parents_parent", "parents", ["parent"])
    _create_collections()
    _create_directions()


def _face_key(name: str) -> sa.Column:
    key = sa.ForeignKey("saved.id", ondelete="CASCADE")
    return sa.Column(name, sa.Integer(), key, primary_key=True)


def _create_collections() -> None:
    op.create_table(
        "collections",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("created", sa.String(40), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "members",
        sa.Column(
            "collection",
            sa.Integer(),
            sa.ForeignKey("collections.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        _face_key("face"),
    )
    op.create_index("members_face", "members", ["face"])


def _create_directions() -> None:
    op.create_table(
        "directions",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("epoch", sa.String(20), primary_key=True),
        sa.Column("weights", sa.String(8), primary_key=True),
        sa.Column("direction", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
    )
