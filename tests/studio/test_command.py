"""The command, as a user starts it: in a process of its own."""

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

from tests.checkpoints import make_checkpoint


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_checkpoint(tmp_path / "outputs" / "a" / "checkpoints" / "epoch=0001.ckpt")
    make_checkpoint(tmp_path / "outputs" / "b" / "checkpoints" / "last.ckpt")
    return tmp_path


Start = Callable[..., tuple[subprocess.Popen[str], int, str]]


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """`start(*overrides)`: the process, its port, and all that it said before it served."""
    started = []

    def run(*overrides: str) -> tuple[subprocess.Popen[str], int, str]:
        command = [sys.executable, "-m", "anime_dcgan.studio", "port=0", "browser=false"]
        process = subprocess.Popen(
            [*command, *overrides], cwd=place, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stderr is not None
        said = process.stderr.readline()
        match = re.search(r":(\d+)/", said)
        assert match is not None, said + process.stderr.read()
        if "token=" in said:
            said += process.stderr.readline()
        return process, int(match[1]), said

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


def test_it_serves_until_it_is_stopped(start: Start, place: Path):
    process, port, said = start()
    assert "http://127.0.0.1" in said and "token" not in said
    assert get(port, "/").status == 200
    assert get(port, "/api/face.png?run=a&epoch=1&seed=5").status == 200
    assert (place / "outputs/.studio/studio.sqlite").exists()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


def test_one_run_may_be_opened_from_anywhere(start: Start):
    _, port, _ = start("run=outputs/b", "outputs=elsewhere", "folder=kept")
    assert get(port, "/api/face.png?run=b&epoch=last&seed=5").status == 200
    assert get(port, "/api/run?run=a").status == 404


def test_a_studio_that_is_open_to_the_network_warns_and_wants_a_token(start: Start):
    _, port, said = start("host=0.0.0.0")
    (token,) = re.findall(r"token=(\S+)", said)
    assert "warning" in said
    assert get(port, "/api/runs").status == 401
    assert get(port, "/api/runs", authorization=f"Bearer {token}").status == 200


def test_mistakes_are_told_in_a_line(place: Path):
    def said(*overrides: str) -> str:
        command = [sys.executable, "-m", "anime_dcgan.studio", "browser=false", *overrides]
        ended = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 2, ended.stderr
        assert len(ended.stderr.strip().splitlines()) <= 2
        return ended.stderr

    assert "outputs=none" in said("outputs=none")
    assert "port=http" in said("port=http")
    assert "token=" in said("token=short")
    (place / "file").touch()
    assert "folder=" in said("port=0", "folder=file/kept")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "another port=" in said(f"port={taken.getsockname()[1]}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(place: Path):
    (place / "outputs").chmod(0o500)
    command = [sys.executable, "-m", "anime_dcgan.studio", "browser=false", "port=0"]
    ended = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and "folder=" in ended.stderr
