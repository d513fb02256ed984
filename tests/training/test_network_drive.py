"""Training on a mounted drive, such as Google Drive, without links, locks and flushed folders."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.processes import TINY, Result

SHORT = (*TINY, "metric=pixels", "callbacks.quality.count=12", "equilibrium.steps=1")
flush = os.fsync


def refuse(*_: Any, **__: Any) -> NoReturn:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def flush_files_only(handle: Any) -> None:
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    flush(handle)


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder without hard and symbolic links, locks, and flushes of folders."""
    fcntl = pytest.importorskip("fcntl")
    for name in ("link", "symlink"):
        monkeypatch.setattr(os, name, refuse)
    for name in ("flock", "lockf"):
        monkeypatch.setattr(fcntl, name, refuse)
    monkeypatch.setattr(os, "fsync", flush_files_only)
    return tmp_path


def test_a_run_on_a_drive_trains_resumes_and_draws(call: Callable[..., Result], drive: Path):
    call("train", *SHORT, "trainer.max_epochs=1", "run=a", cwd=drive)
    resumed = (*SHORT, "trainer.max_epochs=2", "run=a", "ckpt_path=last")
    assert "cannot be written" not in call("train", *resumed, cwd=drive).stderr
    call("generate", "run=a", "n=2", cwd=drive)
    checkpoints = {path.name for path in (drive / "outputs/a/checkpoints").iterdir()}
    assert {"epoch=0001.ckpt", "epoch=0002.ckpt", "last.ckpt"} <= checkpoints
