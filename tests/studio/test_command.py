"""The command, started by a user in its own process."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anime_dcgan.studio.__main__ import _writable
from tests.checkpoints import make_checkpoint
from tests.privileges import unprivileged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_checkpoint(tmp_path / "outputs" / "a" / "checkpoints" / "epoch=0001.ckpt")
    make_checkpoint(tmp_path / "outputs" / "b" / "checkpoints" / "last.ckpt")
    return tmp_path


Start = Callable[..., tuple[subprocess.Popen[str], int, str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Return `start(*overrides)`, which gives the process, its port and its startup output."""
    started = []

    def run(*overrides: str, expected: str = "") -> tuple[subprocess.Popen[str], int, str]:
        command = [sys.executable, "-m", "anime_dcgan.studio", "port=0", "browser=false"]
        process = subprocess.Popen(
            [*command, *overrides], cwd=folder, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stderr is not None
        output = process.stderr.readline()
        if expected:
            assert expected in output
            output += process.stderr.readline()
        match = re.search(r":(\d+)/", output)
        assert match is not None, output + process.stderr.read()
        if "token=" in output:
            output += process.stderr.readline()
        return process, int(match[1]), output

    yield run
    for process in started:
        process.kill()
        process.communicate()


def get(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_it_serves_until_interrupted(start: Start, folder: Path):
    process, port, output = start()
    assert "http://127.0.0.1" in output and "token" not in output
    assert get(port, "/").status == 200
    assert get(port, "/api/face.png?run=a&epoch=1&seed=5").status == 200
    assert (folder / "outputs/.studio/studio.sqlite").exists()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


def test_a_single_run_outside_the_outputs_folder_can_be_opened(start: Start):
    _, port, _ = start("run=outputs/b", "outputs=elsewhere", "folder=studio")
    assert get(port, "/api/face.png?run=b&epoch=last&seed=5").status == 200
    assert get(port, "/api/run?run=a").status == 404


def test_a_studio_open_to_the_network_warns_and_requires_a_token(start: Start):
    _, port, output = start("host=0.0.0.0")
    (token,) = re.findall(r"token=(\S+)", output)
    assert "warning" in output
    assert get(port, "/api/runs").status == 401
    assert get(port, "/api/runs", authorization=f"Bearer {token}").status == 200


def test_invalid_settings_give_short_errors(folder: Path):
    def output(*overrides: str) -> str:
        command = [sys.executable, "-m", "anime_dcgan.studio", "browser=false", *overrides]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 2, ended.stderr
        assert len(ended.stderr.strip().splitlines()) <= 2
        return ended.stderr

    assert "outputs=none" in output("outputs=none")
    assert "port=http" in output("port=http")
    assert "token=" in output("token=short")
    (folder / "file").touch()
    assert "folder=" in output("port=0", "folder=file/studio")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "another port=" in output(f"port={taken.getsockname()[1]}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_reported(folder: Path):
    (folder / "outputs").chmod(0o500)
    command = [sys.executable, "-m", "anime_dcgan.studio", "browser=false", "port=0"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and "folder=" in ended.stderr


def test_faces_are_drawn_where_the_database_cannot_be_written(tmp_path: Path):
    database = tmp_path / "studio.sqlite"
    for mode in (0, 0o444):
        database.touch()
        database.chmod(mode)
        with unprivileged(), _writable(tmp_path, is_default=True) as (folder, unsaved):
            assert folder != tmp_path and unsaved is not None
            assert "Permission denied" in unsaved and "not saved" in unsaved
    database.chmod(0o644)
    with unprivileged(), _writable(tmp_path, is_default=True) as (folder, unsaved):
        assert (folder, unsaved) == (tmp_path, None)


def test_faces_are_drawn_where_nothing_can_be_saved(start: Start, folder: Path):
    (folder / "outputs/.studio").write_text("not a folder")
    _, port, output = start(expected="cannot be written")
    assert "drawn here but not saved" in output
    assert get(port, "/api/face.png?run=a&epoch=1&seed=5").status == 200
    assert (folder / "outputs/.studio").read_text() == "not a folder"
