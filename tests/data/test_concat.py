"""Several sources as one: each picture comes from its own source."""

import pickle
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from anime_dcgan.data.concat import ConcatPictures
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.source import Pictures
from tests.data.pictures import encoded, make_tar, make_zip, plain

SIZES = {"one": [8], "two.zip": [9, 10, 11], "three.tar": [12, 13]}
"""Sides of the pictures of each source, px."""


def members(sizes: list[int]) -> dict[str, bytes]:
    """Return pictures that can be identified by name, size or colour."""
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
def concatenated(sources: list[FolderFaces]) -> Iterator[ConcatPictures]:
    yield ConcatPictures(list(sources))
    for source in sources:
        source.close()


ORDER = [10, 11, 9, 12, 13]
"""By name within a source: "10.png" comes before "9.png"."""


def test_pictures_follow_the_order_of_the_sources(concatenated: ConcatPictures):
    assert isinstance(concatenated, Pictures)
    assert len(concatenated) == 6
    assert [concatenated.name(index) for index in range(6)] == [
        f"{side}.png" for side in (8, *ORDER)
    ]
    locations = [concatenated.locate(index) for index in range(6)]
    assert locations == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]


def test_name_pixels_and_size_belong_to_the_same_picture(concatenated: ConcatPictures):
    for index, side in enumerate((8, *ORDER)):
        assert concatenated.read(index, 4).size == (4, 4)
        assert concatenated.read(index, 4).getpixel((0, 0)) == (side, 0, 0)
        assert concatenated.picture(index).size == (side, side + 1)
        assert concatenated.picture(index).getpixel((0, 0)) == (side, 0, 0)
        assert concatenated.bytes(index) == len(members([side])[f"{side}.png"])


def test_a_single_source_is_unchanged(sources: list[FolderFaces]):
    alone = ConcatPictures([sources[1]])
    assert [alone.name(index) for index in range(3)] == [
        sources[1].name(index) for index in range(3)
    ]


def test_an_index_out_of_range_fails(concatenated: ConcatPictures):
    for index in (-1, 6):
        with pytest.raises(AssertionError):
            concatenated.name(index)


def test_a_pickled_copy_reads_the_same_pictures(concatenated: ConcatPictures):
    copy = pickle.loads(pickle.dumps(concatenated))
    assert [copy.picture(index).tobytes() for index in range(6)] == [
        concatenated.picture(index).tobytes() for index in range(6)
    ]
    for source in copy.sources:
        source.close()


def test_the_identity_depends_on_each_source_and_their_order(
    sources: list[FolderFaces], tmp_path: Path
):
    identities = [
        ConcatPictures(list(chosen)).identity()
        for chosen in (sources, sources[::-1], sources[:2], sources[1:])
    ]
    assert ConcatPictures(list(sources)).identity() == identities[0]
    Image.new("RGB", (3, 3)).save(tmp_path / "one" / "8.png")
    identities.append(ConcatPictures([FolderFaces(tmp_path / "one"), *sources[1:]]).identity())
    assert all(one != other for one, other in pairwise(identities))
    assert identities[-1] not in identities[:-1]
