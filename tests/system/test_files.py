"""Atomic writes leave the previous content or the new one, whole, and no temporary file."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anime_dcgan.system import scratch
from anime_dcgan.system.files import PARTIAL, atomic_write, sync
from anime_dcgan.system.paths import CONF_DIR


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Run a program that has imported everything of `files`."""
    program = f"import sys, os; from anime_dcgan.system.files import *\n{program}"
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def test_the_file_is_replaced_at_the_end(tmp_path: Path):
    path = tmp_path / "folder" / "a.png"
    for text in ("old", "new"):
        with atomic_write(path) as partial:
            assert partial.suffix == ".png" and partial.parent == path.parent
            partial.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("folder", [False, True])
def test_a_failure_leaves_the_previous_content_and_nothing_else(tmp_path: Path, folder: bool):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as partial:
        if folder:
            partial.mkdir()
            (partial / "inside").write_text("half")
        else:
            partial.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", [False, True])
def test_what_exists_stays_without_replace(tmp_path: Path, folder: bool):
    path = tmp_path / "a"
    with pytest.raises(FileExistsError), atomic_write(path, replace=False) as partial:
        for made in (path, partial):
            if folder:
                made.mkdir()
                (made / "name").write_text(made.name)
            else:
                made.write_text(made.name)
    assert (path / "name" if folder else path).read_text() == "a"
    assert list(tmp_path.iterdir()) == [path]


REWRITE_FOLDER = """
for turn in range(100):
    with atomic_write(Path(sys.argv[1])) as partial:
        partial.mkdir()
        for number in range(3):
            (partial / f"{sys.argv[2]}-{turn}-{number}").touch()
"""


def test_of_several_processes_one_wins_with_its_whole_folder(tmp_path: Path):
    processes = [start(REWRITE_FOLDER, tmp_path / "faces", writer) for writer in range(3)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    names = sorted(path.name for path in (tmp_path / "faces").iterdir())
    writer = names[0][0]
    assert names == [f"{writer}-99-{number}" for number in range(3)]
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


WAIT_WITHIN = """
with atomic_write(Path(sys.argv[1])) as partial:
    partial.touch()
    print(partial.name, flush=True)
    input()
"""


def test_partial_files_of_killed_processes_only_are_deleted_by_the_next(tmp_path: Path):
    with (
        start(WAIT_WITHIN, tmp_path / "a") as killed,
        start(WAIT_WITHIN, tmp_path / "b") as running,
    ):
        assert killed.stdout and running.stdout
        names = {killed.stdout.readline().strip(), running.stdout.readline().strip()}
        assert {path.name for path in tmp_path.iterdir()} == names
        killed.kill()
        killed.wait()
        with atomic_write(tmp_path / "c") as partial:
            partial.touch()
        assert len(list(tmp_path.glob(f"{PARTIAL}-*"))) == 1
        running.communicate("\n")
    assert {path.name for path in tmp_path.iterdir()} == {"b", "c"}


def test_a_file_of_a_silent_process_elsewhere_counts_as_abandoned_after_a_day(tmp_path: Path):
    young, old = (tmp_path / f"{PARTIAL}-1-elsewhere-{name}.bin" for name in ("young", "old"))
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))
    scratch.remove_abandoned(tmp_path, PARTIAL)
    assert list(tmp_path.iterdir()) == [young]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EISDIR, errno.EPERM])
def test_a_folder_that_cannot_be_flushed_is_used_without(tmp_path: Path, monkeypatch, number: int):
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", refuse)
    sync(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        sync(tmp_path / "file")


def test_an_error_of_the_disk_while_flushing_a_folder_is_raised(tmp_path: Path, monkeypatch):
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        sync(tmp_path)
