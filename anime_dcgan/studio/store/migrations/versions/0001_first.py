"""Faces, families, collections, names of directions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "face",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("query", sa.Text, nullable=False, unique=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("story", sa.Text, nullable=False),
        sa.Column("favourite", sa.Boolean, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("how", sa.String(20)),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("updated", sa.DateTime, nullable=False),
        sa.Column("thumb", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "collection",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    op.create_table(
        "parent",
        sa.Column(
            "child_id", sa.Integer, sa.ForeignKey("face.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column(
            "parent_id", sa.Integer, sa.ForeignKey("face.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
    )
    op.create_index("parent_of", "parent", ["parent_id"])
    op.create_table(
        "member",
        _reference("collection_id", "collection.id"),
        sa.Column(
            "face_id", sa.Integer, sa.ForeignKey("face.id", ondelete="CASCADE"), primary_key=True
        ),
    )
    op.create_index("member_face", "member", ["face_id"])
    op.create_table(
        "direction_name",
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("epoch", sa.String(20), primary_key=True),
        sa.Column("weights", sa.String(10), primary_key=True),
        sa.Column("direction", sa.String(20), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )


def _reference(name: str, column: str) -> sa.Column[int]:
    """A part of the key that goes when what it refers to goes."""
    reference = sa.ForeignKey(column, ondelete="CASCADE")
    return sa.Column(name, sa.Integer, reference, primary_key=True)
