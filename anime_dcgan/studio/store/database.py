"""The file: opened, brought to the newest form, and refused where it is not ours to touch."""

import contextlib
import sqlite3
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from anime_dcgan.system.errors import UserError, first_line

MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE = 60.0  # seconds that a writer waits for others: the largest import takes some 20
SURROUNDINGS = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN),
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB),
}
"""What a user can mend, of the codes of SQLite's errors; the others are mistakes of ours."""


class Database:
    """One SQLite file, for any number of threads and processes.

    Raises `UserError` where it is damaged, of another program or of a newer version; such a file
    is left as it was. A new one is made, an older one migrated, each in one transaction.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._telling("opened"):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                inspect(path)
            except OSError as error:
                raise UserError(f"{path} could not be opened: {first_line(error)}") from error
            self._engine = _engine(path)
            self._writing = self._engine.execution_options(writes=True)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """All that is read within belongs to one moment."""
        with self._telling("read"), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """All that is changed within is there at the end, on the disk, or nothing of it.

        The only writer from the start, so that what it reads stays true until it writes.
        """
        with self._telling("written"), self._writing.begin() as connection:
            yield connection

    def _prepare(self) -> None:
        with self._telling("opened"), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                driver.execute("PRAGMA journal_mode = wal")
        with self.write() as connection:
            migrate(connection)

    @contextlib.contextmanager
    def _telling(self, done: str) -> Iterator[None]:
        """Say in a line what the disk or the file does not allow."""
        try:
            yield
        except (sqlite3.Error, DBAPIError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            code = getattr(reason, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if reason is None or code & 0xFF not in SURROUNDINGS:
                raise
            raise UserError(f"{self.path} could not be {done}: {first_line(reason)}") from error


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest form, within the transaction of `connection`."""
    script = ScriptDirectory(str(MIGRATIONS))
    context = MigrationContext.configure(connection)
    present = context.get_current_revision()
    with Operations.context(context):
        for step in reversed(list(script.iterate_revisions("head", present or "base"))):
            step.module.upgrade()
    context.stamp(script, "head")


def inspect(path: Path) -> None:
    """Raise `UserError` unless a file at `path` is a sound database of ours, and change nothing."""
    if not path.exists() or path.stat().st_size == 0:
        return
    unfinished = path.with_name(f"{path.name}-journal").exists()  # to be rolled back first
    address = f"{path.resolve().as_uri()}?mode={'rw' if unfinished else 'ro'}"
    connection = sqlite3.connect(address, uri=True, timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            _check_version(path, connection, tables)
        except sqlite3.OperationalError:
            raise  # the place, not the file
        except sqlite3.DatabaseError as error:
            found = first_line(error)
    if found != "ok":
        problem = " ".join(str(found).split())
        raise UserError(f"{path} is damaged ({problem:.80}): move it away, or put back a copy")


def _check_version(path: Path, connection: sqlite3.Connection, tables: set[str]) -> None:
    if not tables:
        return
    if "alembic_version" not in tables:
        raise UserError(f"{path} is a database of another program: name another file")
    script = ScriptDirectory(str(MIGRATIONS))
    known = {step.revision for step in script.walk_revisions()}
    for (version,) in connection.execute("SELECT version_num FROM alembic_version"):
        if version not in known:
            raise UserError(
                f"{path} is of a newer version ({version!s:.40}): update anime_dcgan to open it"
            )


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": PATIENCE, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA foreign_keys = on")
    connection.execute("PRAGMA synchronous = full")  # what was acknowledged survives a power cut
    connection.create_function("fold", 1, fold, deterministic=True)


def _begin(connection: Connection) -> None:
    """In place of the driver's own, which begins late and leaves tables outside (Python 3.11)."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def fold(text: str) -> str:
    """What two spellings share that a person who searches takes for the same.

    >>> fold("Ünal") == fold("u\\u0308NAL")
    True
    """
    return unicodedata.normalize("NFKC", text).casefold()
