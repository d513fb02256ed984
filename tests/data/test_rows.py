"""Rows of a cache, with and without its memory map."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from anime_dcgan.data.rows import read_rows

COUNT = 6000


@pytest.fixture
def images(tmp_path: Path) -> np.ndarray:
    """A memory map of 18 MB, no page of which was read."""
    path = tmp_path / "faces.npy"
    values = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    np.save(path, values)
    return np.load(path, mmap_mode="r")


def test_rows_equal_those_of_the_map_in_the_requested_order(images: np.ndarray):
    rows = np.array([5, 0, COUNT - 1, 5])
    assert np.array_equal(read_rows(images, rows), images[rows])
    assert np.array_equal(read_rows(np.array(images), rows), images[rows])
    shuffled = np.random.default_rng(0).permutation(COUNT)[:50]
    assert np.array_equal(read_rows(images, shuffled), images[shuffled])
    assert read_rows(images, rows[:0]).shape == (0, 32, 32, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="mapped files cannot be deleted there")
def test_rows_of_a_deleted_cache_are_read_from_the_map(images: np.ndarray, tmp_path: Path):
    expected = images[[7, 3]].copy()
    (tmp_path / "faces.npy").unlink()
    assert np.array_equal(read_rows(images, np.array([7, 3])), expected)


@pytest.mark.skipif(sys.platform != "linux", reason="resident pages are read from /proc")
def test_no_page_of_the_map_becomes_resident(images: np.ndarray, tmp_path: Path):
    rows = np.random.default_rng(1).permutation(COUNT)[:500]
    before = resident_kb(tmp_path)
    read_rows(images, rows)
    assert resident_kb(tmp_path) == before
    images[rows].sum()
    assert resident_kb(tmp_path) > before + 1000


def resident_kb(folder: Path) -> int:
    """Return the resident memory of mapped files in a folder, in kB."""
    maps = Path("/proc/self/smaps").read_text()
    found = re.findall(rf"{re.escape(str(folder))}.*?^Rss:\s+(\d+)", maps, re.DOTALL | re.MULTILINE)
    return sum(map(int, found))
