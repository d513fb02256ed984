"""The SQLite file: opening, migrating and checking it."""

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
BUSY_TIMEOUT = 60.0  # seconds a writer waits for others; the largest import takes about 20
ENVIRONMENT_ERRORS = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN),
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB),
}
"""SQLite error codes caused by the file or disk, which a user can fix; any other is a bug."""


class Database:
    """An SQLite file that any number of threads and processes may use.

    A missing file is created and an older one migrated, each in one transaction. Raises
    `UserError` if the file is damaged, or belongs to another program or version; such a
    file is not modified.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refusal: str | None = None
        """The reason for which every change is refused, or None."""
        with self._translate_errors("opened"):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                check_file(path)
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
        """Open a read transaction, which sees one consistent state."""
        with self._translate_errors("read"), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction: on exit all changes are on disk, or none after an error.

        It holds the write lock from the start, so that its reads stay valid until it writes.
        """
        if self.refusal is not None:
            raise UserError(self.refusal)
        with self._translate_errors("written"), self._writing.begin() as connection:
            yield connection

    def _prepare(self) -> None:
        with self._translate_errors("opened"), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                driver.execute("PRAGMA journal_mode = wal")
        with self.write() as connection:
            migrate(connection)

    @contextlib.contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        """Turn errors of the file or disk into a `UserError`."""
        try:
            yield
        except (sqlite3.Error, DBAPIError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            code = getattr(reason, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if reason is None or code & 0xFF not in ENVIRONMENT_ERRORS:
                raise
            raise UserError(f"{self.path} could not be {action}: {first_line(reason)}") from error


def migrate(connection: Connection) -> None:
    """Upgrade the tables to the newest revision, inside the transaction of `connection`."""
    script = ScriptDirectory(str(MIGRATIONS))
    context = MigrationContext.configure(connection)
    current = context.get_current_revision()
    with Operations.context(context):
        for step in reversed(list(script.iterate_revisions("head", current or "base"))):
            step.module.upgrade()
    context.stamp(script, "head")


def check_file(path: Path) -> None:
    """Raise `UserError` if an existing file is not an intact database of the studio."""
    if not path.exists() or path.stat().st_size == 0:
        return
    has_journal = path.with_name(f"{path.name}-journal").exists()  # SQLite must roll it back
    uri = f"{path.resolve().as_uri()}?mode={'rw' if has_journal else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)
    with contextlib.closing(connection):
        try:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            _check_version(path, connection, tables)
        except sqlite3.OperationalError:
            raise  # about access to the file, not its contents
        except sqlite3.DatabaseError as error:
            result = first_line(error)
    if result != "ok":
        problem = " ".join(str(result).split())
        raise UserError(f"{path} is damaged ({problem:.80}): move it away or restore a backup")


def _check_version(path: Path, connection: sqlite3.Connection, tables: set[str]) -> None:
    if not tables:
        return
    if "alembic_version" not in tables:
        raise UserError(f"{path} is a database of another program: choose another folder=...")
    script = ScriptDirectory(str(MIGRATIONS))
    revisions = {step.revision for step in script.walk_revisions()}
    for (version,) in connection.execute("SELECT version_num FROM alembic_version"):
        if version not in revisions:
            raise UserError(
                f"{path} was written by another version of anime_dcgan ({version!s:.40}): "
                "update it, or choose another folder=..."
            )


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA foreign_keys = on")
    connection.execute("PRAGMA synchronous = full")  # acknowledged writes survive a power failure
    connection.create_function("fold", 1, fold, deterministic=True)


def _begin(connection: Connection) -> None:
    """Replace the driver's own BEGIN, which comes late and excludes DDL (Python 3.11)."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def fold(text: str) -> str:
    """Return the text in the form that searches compare: NFKC-normalised and case-folded.

    >>> fold("Ünal") == fold("u\\u0308NAL")
    True
    """
    return unicodedata.normalize("NFKC", text).casefold()
