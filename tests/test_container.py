"""Tests of the Dockerfile: what can be seen without Docker."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documented import ROOT
from tests.image import Image, context, instructions

pytestmark = pytest.mark.skipif(
    os.name != "posix" or not (ROOT / "Dockerfile").is_file(), reason="only in a checkout"
)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to other users
        Path(folder).chmod(0o755)
        yield Image(Path(folder), free_port())


def run(image: Image, *argv: str) -> tuple[int, str]:
    """Return the exit status of a command in the image, and what it printed."""
    process = image.start(list(argv))
    printed, _ = process.communicate(timeout=60)
    return process.returncode, printed


def test_hadolint_finds_no_fault():
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed")
    result = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_context_holds_only_files_that_are_copied():
    copied = [text.split()[:-1] for name, text in instructions() if name == "COPY"]
    assert sorted(context()) == sorted(
        name for names in copied for name in names if not names[0].startswith("--from=")
    )


@pytest.mark.slow
def test_any_user_opens_the_studio_and_draws(image: Image):
    studio = image.start(image.command)
    try:
        deadline = time.monotonic() + 60
        while run(image, *image.healthcheck)[0]:
            assert time.monotonic() < deadline and studio.poll() is None
            time.sleep(0.2)
        status, printed = run(image, "anime-generate", "run=demo", "n=4", "out=outputs/faces.png")
        assert status == 0, printed
        assert (image.folder / "srv/outputs/faces.png").is_file()
    finally:
        studio.terminate()
        out = studio.communicate()[0]
    assert f"the studio is open at http://localhost:{image.port}/?token=" in out
