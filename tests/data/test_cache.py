"""The cache of decoded pictures: contents, rebuilding, and interrupted builds."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data import cache as cache_module
from anime_dcgan.data.cache import open_cache
from anime_dcgan.data.cache_build import CHUNK_PICTURES, digests
from anime_dcgan.data.cache_files import FaceCache
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system import scratch
from anime_dcgan.system.errors import UserError

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


class Shades:
    """`count` pictures of a single colour each; those in `bad` are unreadable."""

    def __init__(self, count: int, bad: tuple[int, ...] = (), names: str = "{}") -> None:
        self.count, self.bad, self.names = count, bad, names

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return self.names.format(index)

    def read(self, index: int, image_size: int) -> Image.Image:
        if index in self.bad:
            raise Unreadable(f"bad\tas {index}\nis")
        return Image.new("RGB", (image_size, image_size), (index % 256, index // 256, 7))

    def identity(self) -> dict[str, object]:
        return {"kind": "shades", "count": self.count}


class NeverRead(Shades):
    """Pictures with the identity of `Shades`; reading one fails the test."""

    def read(self, index: int, image_size: int) -> Image.Image:
        raise AssertionError(f"picture {index} was read")


class Dying(Shades):
    """Pictures that end the process which reads them."""

    def read(self, index: int, image_size: int) -> Image.Image:
        os._exit(9)


def expected(indices: list[int], image_size: int = 8) -> np.ndarray:
    shades = np.array([(index % 256, index // 256, 7) for index in indices], np.uint8)
    return np.tile(shades[:, None, None], (1, image_size, image_size, 1))


def caches(cache_dir: Path) -> list[str]:
    return sorted(path.name for path in cache_dir.iterdir())


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_cache_holds_every_picture_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = open_cache(Shades(300), 8, tmp_path / "new" / "caches")
    assert isinstance(cache, FaceCache)
    assert isinstance(cache.images, np.memmap)
    assert not cache.images.flags.writeable
    assert cache.images.dtype == np.uint8
    assert cache.unreadable == 0
    np.testing.assert_array_equal(cache.images, expected(list(range(300))))
    np.testing.assert_array_equal(cache.indices, np.arange(300))
    assert caches(tmp_path / "new" / "caches") == [cache.folder.name]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "decoding 300 pictures of data=shades"
    assert len(lines) == 2
    assert "0 unreadable" in lines[1]


def test_a_complete_cache_is_not_decoded_again(tmp_path: Path) -> None:
    built = open_cache(Shades(30), 8, tmp_path)
    again = open_cache(NeverRead(30), 8, tmp_path)
    assert again.folder.name.startswith("shades-")
    np.testing.assert_array_equal(again.images, built.images)


def test_the_folder_is_named_after_the_source(tmp_path: Path) -> None:
    class Named(Shades):
        def identity(self) -> dict[str, object]:
            return {"path": "/somewhere/顔 of anime/../faces & more.zip"}

    assert open_cache(Named(3), 8, tmp_path).folder.name.startswith("faces-more-")


@pytest.mark.parametrize("change", ["source", "size", "version"])
def test_another_source_size_or_version_has_its_own_cache(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_cache(Shades(30), 8, tmp_path)
    if change == "version":
        monkeypatch.setattr(cache_module, "CACHE_VERSION", 1000)
    source = Shades(31) if change == "source" else Shades(30)
    second = open_cache(source, 9 if change == "size" else 8, tmp_path)
    assert second.folder != first.folder
    assert len(second.images) == len(source)


def test_unreadable_pictures_are_left_out_and_listed(tmp_path: Path) -> None:
    bad = (0, *range(256, 512), 599)  # including a complete chunk
    cache = open_cache(Shades(600, bad, "顔\t{}\udcff"), 8, tmp_path, workers=1)
    good = [index for index in range(600) if index not in bad]
    np.testing.assert_array_equal(cache.images, expected(good))
    np.testing.assert_array_equal(cache.indices, good)
    assert cache.unreadable == len(bad)
    lines = (cache.folder / "unreadable.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(bad)
    assert lines[0] == "顔 0\\udcff\tbad as 0 is"
    assert open_cache(NeverRead(600), 8, tmp_path).unreadable == len(bad)


def test_workers_write_the_same_bytes_as_one_process(tmp_path: Path) -> None:
    bad = (3, 255, 256, 700)
    alone = open_cache(Shades(800, bad), 8, tmp_path / "alone", workers=1)
    pooled = open_cache(Shades(800, bad), 8, tmp_path / "pooled", workers=2)
    for name in ("faces.npy", "indices.npy", "unreadable.txt", "source.json"):
        assert (alone.folder / name).read_bytes() == (pooled.folder / name).read_bytes()


def test_a_dying_worker_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="workers=1"):
        open_cache(Dying(600), 8, tmp_path, workers=2)
    assert caches(tmp_path) == []


def truncate(folder: Path) -> None:
    with (folder / "faces.npy").open("r+b") as file:
        file.truncate(1000)


def lengthen(folder: Path) -> None:
    with (folder / "faces.npy").open("ab") as file:
        file.write(b"more")


def fill_with_zeros(folder: Path) -> None:
    (folder / "faces.npy").write_bytes(bytes((folder / "faces.npy").stat().st_size))


def change_type(folder: Path) -> None:
    np.save(folder / "faces.npy", np.zeros((30, 8, 8, 3), np.int8))


def corrupt_record(folder: Path) -> None:
    (folder / "source.json").write_text("{")


def record_another_source(folder: Path) -> None:
    record = json.loads((folder / "source.json").read_text())
    record["made_from"]["identity"]["count"] = 31
    (folder / "source.json").write_text(json.dumps(record))


def delete_indices(folder: Path) -> None:
    (folder / "indices.npy").unlink()


def empty_faces(folder: Path) -> None:
    (folder / "faces.npy").write_bytes(b"")


def replace_with_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("in the way")


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        lengthen,
        fill_with_zeros,
        change_type,
        corrupt_record,
        record_another_source,
        replace_with_a_file,
        delete_indices,
        empty_faces,
    ],
)
def test_a_damaged_cache_is_rebuilt(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    damage(open_cache(Shades(30), 8, tmp_path).folder)
    cache = open_cache(Shades(30), 8, tmp_path)
    np.testing.assert_array_equal(cache.images, expected(list(range(30))))
    assert caches(tmp_path) == [cache.folder.name]


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


def test_reasons_are_listed_if_no_picture_is_readable(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_cache(Shades(5, tuple(range(5))), 8, tmp_path)
    message = str(caught.value)
    assert "none of 5 pictures" in message
    assert "0: bad as 0 is; 1: bad as 1 is; 2: bad as 2 is" in message
    reasons = Path(message.split("the reasons are in ")[1])
    assert len(reasons.read_text().splitlines()) == 5
    assert caches(tmp_path) == [reasons.name]


def test_an_empty_source_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no pictures"):
        open_cache(Shades(0), 8, tmp_path)


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(UserError, match=r"data\.cache_dir=\.\.\."):
        open_cache(Shades(3), 8, tmp_path / "file" / "caches")


def test_lack_of_space_is_reported_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1))
    with pytest.raises(UserError, match=r"needs 576 bytes.*1 free"):
        open_cache(Shades(3), 8, tmp_path)
    assert caches(tmp_path) == []


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"(?s)needs 576 bytes.*data\.cache_dir=\.\.\."):
        open_cache(Shades(3), 8, tmp_path)
    assert caches(tmp_path) == []


def test_a_full_disk_during_decoding_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = Path.open

    def full(path: Path, mode: str = "r", *args: Any, **settings: Any) -> Any:
        if mode == "r+b":
            raise OSError(errno.ENOSPC, "No space left on device")
        return open_file(path, mode, *args, **settings)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UserError, match=r"(?s)needs 576 bytes.*data\.cache_dir=\.\.\."):
        open_cache(Shades(3), 8, tmp_path)
    assert caches(tmp_path) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_unreadable_pictures_leave_no_gaps(tmp_path: Path, workers: int) -> None:
    count = 4 * CHUNK_PICTURES - 9
    good = [index for index in range(CHUNK_PICTURES, count) if index % 7]
    source = Shades(count, tuple(sorted(set(range(count)) - set(good))))
    cache = open_cache(source, 8, tmp_path, workers)
    np.testing.assert_array_equal(cache.indices, good)
    np.testing.assert_array_equal(cache.images, expected(good))
    np.testing.assert_array_equal(cache.digests, digests(expected(good)))
    assert cache.unreadable == count - len(good)


def test_decoding_loads_no_torch() -> None:
    imports = "import sys, anime_dcgan.data.cache, anime_dcgan.data.folder\n"
    code = imports + "sys.exit(bool({'torch', 'lightning'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
