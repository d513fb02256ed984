"""Several sources as one: each picture comes from where it lies."""

import pickle
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from anime_dcgan.data.concat import ConcatPictures
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.source import Pictures
from tests.data.test_folder import encoded, make_tar, make_zip, plain

SIZES = {"one": [8], "two.zip": [9, 10, 11], "three.tar": [12, 13]}
"""Sides of the pictures of each source, px."""


def members(sizes: list[int]) -> dict[str, bytes]:
    """Pictures whose name, size and colour say which one it is."""
    return {f"{side}.png": encoded(plain((side, 0, 0), (side, side + 1))) for side in sizes}


@pytest.fixture
def sources(tmp_path: Path) -> list[FolderFaces]:
    (tmp_path / "one").mkdir()
    for name, data in members(SIZES["one"]).items():
        (tmp_path / "one" / name).write_bytes(data)
    make_zip(tmp_path / "two.zip", members(SIZES["two.zip"]))
    make_tar(tmp_path / "three.tar", members(SIZES["three.tar"]), "w")
    return [FolderFaces(tmp_path / name) for name in SIZES]


@pytest.fixture
def joined(sources: list[FolderFaces]) -> Iterator[ConcatPictures]:
    yield ConcatPictures(list(sources))
    for source in sources:
        source.close()


ORDER = [10, 11, 9, 12, 13]
"""By name within a source: "10.png" comes before "9.png"."""


def test_the_sources_follow_each_other(joined: ConcatPictures):
    assert isinstance(joined, Pictures)
    assert len(joined) == 6
    assert [joined.name(index) for index in range(6)] == [f"{side}.png" for side in (8, *ORDER)]
    places = [joined.locate(index) for index in range(6)]
    assert places == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]


def test_name_picture_and_bytes_are_those_of_one_picture(joined: ConcatPictures):
    for index, side in enumerate((8, *ORDER)):
        assert joined.read(index, 4).size == (4, 4)
        assert joined.read(index, 4).getpixel((0, 0)) == (side, 0, 0)
        assert joined.picture(index).size == (side, side + 1)
        assert joined.picture(index).getpixel((0, 0)) == (side, 0, 0)
        assert joined.bytes(index) == len(members([side])[f"{side}.png"])


def test_one_source_is_what_it_was(sources: list[FolderFaces]):
    alone = ConcatPictures([sources[1]])
    assert [alone.name(index) for index in range(3)] == [
        sources[1].name(index) for index in range(3)
    ]


def test_a_number_that_is_none_of_a_picture_is_a_mistake_of_ours(joined: ConcatPictures):
    for index in (-1, 6):
        with pytest.raises(AssertionError):
            joined.name(index)


def test_a_copy_in_another_process_reads_the_same(joined: ConcatPictures):
    copy = pickle.loads(pickle.dumps(joined))
    assert [copy.picture(index).tobytes() for index in range(6)] == [
        joined.picture(index).tobytes() for index in range(6)
    ]
    for source in copy.sources:
        source.close()


def test_the_identity_follows_each_source_and_their_order(
    sources: list[FolderFaces], tmp_path: Path
):
    seen = [
        ConcatPictures(list(chosen)).identity()
        for chosen in (sources, sources[::-1], sources[:2], sources[1:])
    ]
    assert ConcatPictures(list(sources)).identity() == seen[0]
    Image.new("RGB", (3, 3)).save(tmp_path / "one" / "8.png")
    seen.append(ConcatPictures([FolderFaces(tmp_path / "one"), *sources[1:]]).identity())
    assert all(one != other for one, other in pairwise(seen))
    assert seen[-1] not in seen[:-1]
