"""The cache of decoded pictures: contents, rebuilding, and full disks."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data import cache as cache_module
from anime_dcgan.data.cache import check_space, open_cache
from anime_dcgan.data.cache_build import CHUNK_PICTURES, digests
from anime_dcgan.data.cache_files import FaceCache
from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.system import memory
from anime_dcgan.system.errors import UserError
from tests.data.shades import Shades, caches, expected


class NeverRead(Shades):
    """Pictures with the identity of `Shades`; reading one fails the test."""

    def read(self, index: int, image_size: int) -> Image.Image:
        raise AssertionError(f"picture {index} was read")


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


def test_the_largest_number_of_drawn_faces_that_fits_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = DrawnFaces(10**9)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10**11))
    with pytest.raises(UserError, match=r"use data\.count=494791666, or another data\.cache_dir="):
        check_space(faces, 8, tmp_path / "new" / "cache")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10**18))
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    with pytest.raises(UserError, match=r"80\.0 GB of memory, and 1\.0 .*: use data\.count"):
        check_space(faces, 8, tmp_path)
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
