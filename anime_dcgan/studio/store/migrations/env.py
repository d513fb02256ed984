"""Runs migrations on the connection of `database.py`, within its transaction."""

from alembic import context

from anime_dcgan.studio.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
