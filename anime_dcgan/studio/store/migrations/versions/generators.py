"""Faces that name their generator by its digest, have a name, and can be forgotten and restored."""

import sqlalchemy as sa
from alembic import op

revision = "generators"
down_revision = "saved_faces"


def upgrade() -> None:
    text = {"nullable": False, "server_default": ""}
    op.add_column("saved", sa.Column("key", sa.Text(), **text))
    op.add_column("saved", sa.Column("digest", sa.String(20)))
    op.add_column("saved", sa.Column("name", sa.String(200), **text))
    op.add_column("saved", sa.Column("forgotten", sa.String(40)))
    op.execute("UPDATE saved SET key = face")  # that of a face without a digest
    op.create_index("saved_key", "saved", ["key"], unique=True)
    op.drop_table("directions")  # names of directions by run and epoch, which may be others now
    op.create_table(
        "direction_names",
        sa.Column("digest", sa.String(20), primary_key=True),
        sa.Column("direction", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
    )
