"""The database file: creation, reopening, and rejection of unusable files unchanged."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from anime_dcgan.studio.store import Store
from anime_dcgan.studio.store.database import MIGRATIONS, Database
from anime_dcgan.studio.store.schema import metadata
from anime_dcgan.system.errors import UserError
from tests.studio.store_helpers import face, png, query


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "a?b#c.db"


@pytest.fixture
def filled(path: Path) -> Path:
    with Store(path) as store:
        for seed in range(40):
            store.save(face(seed), png(seed), story="x" * 3000)
    return path


def rejection(path: Path) -> str:
    """Return the one-line error of opening a file, which must stay unchanged."""
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        Store(path)
    assert path.read_bytes() == before
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_migrations_produce_the_schema(path: Path):
    Store(path).close()
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    with closing(sqlite3.connect(":memory:")) as plain:
        made = create_engine("sqlite://", creator=lambda: plain)
        metadata.create_all(made)
        expected = plain.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        made.dispose()
    (found,) = query(path, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%alembic%'")
    assert found == expected  # includes indexes and autoincrement


def test_data_survives_reopening(filled: Path):
    with Store(filled) as store:
        saved = store.browse().faces
        assert [one.face.seed for one in saved] == list(range(39, -1, -1))
        assert store.thumb(saved[0].id) == png(39)


def test_connections_use_the_durable_settings(filled: Path):
    database = Database(filled)
    with database.read() as connection:
        pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    database.close()
    assert found == ["wal", 1, 2, 60_000]


def test_an_empty_file_becomes_a_new_database(path: Path):
    path.parent.mkdir()
    path.touch()
    with Store(path) as store:
        assert store.browse().faces == ()


def test_a_file_that_is_not_a_database_is_rejected(path: Path):
    path.parent.mkdir()
    path.write_text("This is not a database.\n" * 100)
    assert "damaged" in rejection(path)


def test_a_database_of_another_program_is_rejected(path: Path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE letters (text)")
    assert "another program" in rejection(path)
    assert query(path, "SELECT name FROM sqlite_schema") == [("letters",)]


def test_a_database_of_another_version_is_rejected(filled: Path):
    with closing(sqlite3.connect(filled)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'colours_of_eyes'")
    assert "another version of anime_dcgan (colours_of_eyes): update it" in rejection(filled)
    assert query(filled, "SELECT count(*) FROM saved") == [(40,)]


@pytest.mark.parametrize("damage", ["cut", "zeros", "head"])
def test_a_damaged_database_is_rejected(filled: Path, damage: str):
    content = bytearray(filled.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "zeros":
        content[4096 : len(content) // 2] = bytes(len(content) // 2 - 4096)
    else:
        content[100:200] = b"\xff" * 100
    filled.write_bytes(content)
    assert "damaged" in rejection(filled)


def test_a_folder_at_the_path_is_reported_in_one_line(path: Path):
    path.mkdir(parents=True)
    (path / "content").touch()
    with pytest.raises(UserError, match=r"could not be opened") as caught:
        Store(path)
    assert "\n" not in str(caught.value)


def test_a_file_at_the_path_of_the_folder_is_reported(path: Path):
    path.parent.touch()
    with pytest.raises(UserError, match="could not be opened"):
        Store(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_reported(filled: Path):
    filled.parent.chmod(0o500)
    try:
        with pytest.raises(UserError, match="could not be"):
            Store(filled)
    finally:
        filled.parent.chmod(0o700)


def test_a_full_disk_is_reported_and_changes_nothing(filled: Path):
    with Store(filled) as store:
        with store.database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # for this connection only
        with pytest.raises(UserError, match="could not be written: .*full"):
            store.save(face(99), png(), story="x" * 20_000)
        assert store.find(face(99)) is None
        assert len(store.browse().faces) == 40


def test_programming_errors_are_not_user_errors(path: Path):
    with (
        Store(path) as store,
        pytest.raises(Exception, match="no such table") as caught,
        store.database.write() as connection,
    ):
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")
    assert not isinstance(caught.value, UserError)


def test_a_new_file_can_be_opened_concurrently(path: Path):
    ready = threading.Barrier(6)

    def work(seed: int) -> None:
        ready.wait()
        with Store(path) as store:
            store.save(face(seed), png())

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    with Store(path) as store:
        assert {one.face.seed for one in store.browse().faces} == set(range(6))


def test_a_failed_migration_leaves_the_file_unchanged(path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(MigrationContext, "stamp", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        Store(path)
    assert query(path, "SELECT name FROM sqlite_schema") == []
    monkeypatch.undo()
    Store(path).close()


def test_migrations_form_one_line():
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert all(len(step.revision) <= 32 for step in script.walk_revisions())
