"""The file: opened, migrated to the newest schema, and every change a transaction of its own."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from anime_dcgan.errors import UserError, first_line

MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE_MS = 10_000  # until another process has ended its change
SETTINGS = (
    "PRAGMA journal_mode=WAL",  # readers go on while something is written
    "PRAGMA synchronous=FULL",  # what was acknowledged outlives a power cut
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={PATIENCE_MS}",
)


class Database:
    """A SQLite file. Raises `UserError` where it is damaged, or of a newer version."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine(f"sqlite:///{path.resolve()}")
        self._writing = threading.Lock()
        event.listen(self._engine, "connect", _settle)
        event.listen(self._engine, "begin", _begin)
        try:
            self._migrate()
        except DatabaseError as error:
            self.close()
            reason = first_line(error.orig or error)
            raise UserError(
                f"{path} cannot be opened ({reason}): name another folder=..., or move it away"
            ) from None
        except UserError:
            self.close()
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """One state of all tables."""
        with Session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """All of what is done inside happens, or nothing."""
        engine = self._engine.execution_options(immediate=True)
        with self._writing, Session(engine) as session, session.begin():
            yield session

    def close(self) -> None:
        self._engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        engine = self._engine.execution_options(immediate=True)
        with engine.begin() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in known:
                raise UserError(
                    f"{self.path} was written by a newer version of anime_dcgan ({current}): "
                    "update, or name another folder=..."
                )
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise UserError(f"{self.path} cannot be migrated: {first_line(error)}") from None


def _settle(connection: Any, _: Any) -> None:
    connection.isolation_level = (
        None  # transactions are begun by us, also around a change of tables
    )
    for setting in SETTINGS:
        connection.execute(setting).close()


def _begin(connection: Connection) -> None:
    """A change locks at once: a lock that is asked for later may be refused without waiting."""
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
