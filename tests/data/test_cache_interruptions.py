"""Builds of a cache that are killed, interrupted, or made by two processes."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.cache_build import CHUNK_PICTURES, digests
from anime_dcgan.data.cache_files import FaceCache
from anime_dcgan.system import scratch
from anime_dcgan.system.errors import UserError
from tests.data.shades import Shades, caches, expected
from tests.waiting import wait_until

HANGING_BUILD = """
import sys, time
from pathlib import Path
from PIL import Image
from anime_dcgan.data.cache import open_cache

class Hanging:
    def __len__(self): return 1000
    def name(self, index): return str(index)
    def identity(self): return {"kind": "shades", "count": 1000}
    def read(self, index, image_size):
        if index > 600: time.sleep(60)
        return Image.new("RGB", (image_size, image_size))

if __name__ == "__main__":
    open_cache(Hanging(), 8, Path(sys.argv[1]), workers=int(sys.argv[2]))
"""


class Dying(Shades):
    """Pictures that end the process which reads them."""

    def read(self, index: int, image_size: int) -> Image.Image:
        os._exit(9)


def test_a_dying_worker_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="workers=1"):
        open_cache(Dying(600), 8, tmp_path, workers=2)
    assert caches(tmp_path) == []


def make_leftover(cache_dir: Path, pid: int, host: str) -> Path:
    folder = cache_dir / f".building-{pid}-{host}-0123abcd"
    folder.mkdir()
    (folder / "faces.npy").write_bytes(b"half")
    return folder


def test_only_abandoned_builds_are_removed(tmp_path: Path) -> None:
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    this_host = "".join(c if c.isalnum() or c == "_" else "_" for c in socket.gethostname())
    dead = make_leftover(tmp_path, finished.pid, this_host)
    live = make_leftover(tmp_path, os.getppid(), this_host)
    silent = make_leftover(tmp_path, 1, "elsewhere")
    for path in (silent, silent / "faces.npy"):
        os.utime(path, (0, 0))
    working = make_leftover(tmp_path, 2, "elsewhere")
    open_cache(Shades(30), 8, tmp_path)
    assert [path.exists() for path in (dead, live, silent, working)] == [False, True, False, True]


def start_hanging_build(cache_dir: Path, workers: int) -> subprocess.Popen[bytes]:
    """Start a build that writes part of its pictures and then hangs."""
    script = cache_dir.parent / "hanging_build.py"
    script.write_text(HANGING_BUILD)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), str(cache_dir), str(workers)]
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_until(
        lambda: any(path.stat().st_size > 40_000 for path in cache_dir.glob(".b*/faces.npy"))
    )
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to find the workers")
def test_a_killed_build_is_not_mistaken_for_a_cache(tmp_path: Path) -> None:
    cache_dir = tmp_path / "caches"
    process = start_hanging_build(cache_dir, workers=2)
    workers = children(process.pid)
    assert workers
    process.kill()
    process.communicate()
    assert [name.startswith(".building-") for name in caches(cache_dir)] == [True]
    wait_until(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers))
    cache = open_cache(Shades(1000), 8, cache_dir, workers=1)
    np.testing.assert_array_equal(cache.images, expected(list(range(1000))))
    assert caches(cache_dir) == [cache.folder.name]


def children(pid: int) -> list[str]:
    """Return the processes that `pid` started, from /proc."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_propagates_and_keeps_the_decoded_pictures(
    tmp_path: Path, workers: int
) -> None:
    cache_dir = tmp_path / "caches"
    process = start_hanging_build(cache_dir, workers)
    os.killpg(process.pid, signal.SIGINT)  # like a terminal, which interrupts the workers as well
    _, errors = process.communicate(timeout=20)
    assert errors.rstrip().endswith(b"KeyboardInterrupt")
    assert errors.count(b"Traceback") == 1
    if workers == 2 and b"are decoded" not in errors:  # the first chunk was still on its way
        assert caches(cache_dir) == []
        return
    done = int(errors.decode().split(" of 1,000 pictures are decoded")[0].split("\n")[-1])
    assert done in (CHUNK_PICTURES, 2 * CHUNK_PICTURES)
    assert [name.startswith(".stopped-") for name in caches(cache_dir)] == [True]

    class Rest(Shades):
        def read(self, index: int, image_size: int) -> Image.Image:
            assert index >= done
            return super().read(index, image_size)

    stopped = next(cache_dir.iterdir())
    cache = open_cache(Rest(1000), 8, cache_dir, workers=1)
    assert not stopped.exists()
    assert (cache.images[:done] == 0).all()  # of the build that was stopped
    np.testing.assert_array_equal(cache.images[done:], expected(list(range(done, 1000))))
    np.testing.assert_array_equal(cache.digests, digests(cache.images))
    assert caches(cache_dir) == [cache.folder.name]


def test_two_concurrent_builds_end_with_one_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "remove_abandoned", lambda folder, kind: None)
    barrier = threading.Barrier(2)

    class Concurrent(Shades):
        def read(self, index: int, image_size: int) -> Image.Image:
            if index == 0:
                barrier.wait(20)
            return super().read(index, image_size)

    results: list[FaceCache] = []
    builders = [
        threading.Thread(target=lambda: results.append(open_cache(Concurrent(30), 8, tmp_path)))
        for _ in range(2)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert results[0].folder == results[1].folder
    for result in results:
        np.testing.assert_array_equal(result.images, expected(list(range(30))))
    assert caches(tmp_path) == [results[0].folder.name]
