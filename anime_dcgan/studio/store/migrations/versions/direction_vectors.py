"""Names of directions with their vectors and runs, so that other epochs inherit them."""

import sqlalchemy as sa
from alembic import op

revision = "direction_vectors"
down_revision = "generators"


def upgrade() -> None:
    text, empty = {"nullable": False, "server_default": ""}, sa.text("x''")
    op.add_column("direction_names", sa.Column("run", sa.Text(), **text))
    vector = sa.Column("vector", sa.LargeBinary(), nullable=False, server_default=empty)
    op.add_column("direction_names", vector)
