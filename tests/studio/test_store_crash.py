"""After `kill -9` at any moment the file opens, is intact and contains every acknowledged write.

The writers are forked from a single-threaded process that has already loaded the libraries.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anime_dcgan.studio.store import Store
from tests.studio.store_helpers import face, query

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
ROOT = Path(__file__).parents[2]

HARNESS = """
import json, os, random, signal, sqlite3, sys, time
from contextlib import closing
from pathlib import Path
from anime_dcgan.studio.store import Store, export_collection, import_collection
from tests.studio.store_helpers import face, png

path, work, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
max_seconds = float(sys.argv[4])
bundle = path.with_name("bundle.zip")

def write(number, acknowledge):
    with Store(path) as store:
        for step in range(100_000):
            seed = number * 100_000 + step
            saved = store.save(face(seed), png(step), str(seed), parents=[(face(0), png(), 0.5)])
            group = store.create_collection(str(seed))
            store.add_to_collection(group.id, saved.id)
            if step % 3 == 0:
                store.remove(store.save(face(seed + 50_000), png()).id)
            acknowledge(seed)

def run_imports(number, acknowledge):
    with Store(path) as store:
        for step in range(100_000):
            acknowledge(import_collection(store, bundle).collection.id)

def open_new(number, acknowledge):
    for step in range(100_000):
        Store(path).close()
        for file in path.parent.glob(path.name + "*"):
            file.unlink()

def killed(number, work):
    read, written = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        work(number, lambda value: os.write(written, f"{value}\\n".encode()))
        os._exit(0)
    os.close(written)
    with os.fdopen(read) as output:
        # Every other writer is killed only after its first write, however slow the machine is.
        first = [output.readline()] if number % 2 and work is not open_new else []
        time.sleep(random.uniform(0.01, max_seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the writer exited by itself"
        return [int(line) for line in first + list(output)]

if work == "run_imports":
    with Store(path.with_name("other.db")) as other:
        group = other.create_collection("group")
        for seed in range(60):
            saved = other.save(face(seed), png(seed), "story", parents=[(face(1000), png(), 1.0)])
            other.add_to_collection(group.id, saved.id)
        export_collection(other, group.id, bundle)

acknowledged, interrupted = [], 0
for number in range(1, rounds + 1):
    acknowledged += killed(number, globals()[work])
    interrupted += path.with_name(path.name + "-wal").exists()
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
print(json.dumps({"acknowledged": acknowledged, "interrupted": interrupted}))
"""


def crash(path: Path, work: str, rounds: int, max_seconds: float) -> dict:
    command = [sys.executable, "-c", HARNESS, str(path), work, str(rounds), str(max_seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, env=environment, cwd=path.parent, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_acknowledged_writes_survive_a_kill(tmp_path: Path):
    path = tmp_path / "studio.db"
    report = crash(path, "write", rounds=25, max_seconds=0.3)
    assert report["interrupted"] > 10 and len(report["acknowledged"]) >= 13
    with Store(path) as store:
        for seed in report["acknowledged"]:
            saved = store.find(face(seed))
            assert saved and saved.story == str(seed) and len(saved.parents) == 1
            assert len(saved.collections) == 1
    # No partial writes: every face with a story has a picture and a parent.
    assert query(path, "SELECT * FROM saved WHERE id NOT IN (SELECT face FROM thumbs)") == []
    orphans = "SELECT * FROM saved WHERE story <> '' AND id NOT IN (SELECT child FROM parents)"
    assert query(path, orphans) == []


def test_a_killed_import_is_complete_or_absent(tmp_path: Path):
    path = tmp_path / "studio.db"
    report = crash(path, "run_imports", rounds=15, max_seconds=0.3)
    assert report["interrupted"] > 5
    counts = dict(query(path, "SELECT collection, count(*) FROM members GROUP BY collection"))
    assert set(report["acknowledged"]) <= set(counts)
    assert set(counts.values()) <= {60}
    assert len(query(path, "SELECT * FROM collections")) == len(counts)


def test_a_killed_creation_leaves_a_usable_file(tmp_path: Path):
    crash(tmp_path / "studio.db", "open_new", rounds=25, max_seconds=0.1)
