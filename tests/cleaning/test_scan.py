"""Scans: every picture is read once, and an interrupted scan resumes to the same result."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.cleaning import duplicates, image_stats, outliers
from anime_dcgan.cleaning import scan as scanning
from anime_dcgan.cleaning.judgement import Thresholds, judge_pictures
from anime_dcgan.cleaning.scan import FACELESS, READ, UNREADABLE, Scan, region_of, scan
from anime_dcgan.data.decoding import centre_square, fit
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.region import Region
from anime_dcgan.system.errors import UserError
from tests.cleaning.conftest import Shown

CHUNK = 6
COUNT = 20
BROKEN = {4: "04.png", 13: "13.png"}
WIDE = 7
EQUAL = (2, 18)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "CHUNK", CHUNK)
    monkeypatch.setattr(outliers, "CONCENTRATION_STEPS", 0)  # the model does not matter here


@pytest.fixture(scope="module")
def folder(faces: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of faces 00.png to 19.png: two broken, two equal, one wide."""
    path = tmp_path_factory.mktemp("faces")
    for index in range(COUNT):
        Image.fromarray(faces[index]).save(path / f"{index:02d}.png")
    for name in BROKEN.values():
        (path / name).write_bytes(b"not a picture")
    shutil.copy(path / f"{EQUAL[0]:02d}.png", path / f"{EQUAL[1]:02d}.png")
    Image.fromarray(np.concatenate([faces[WIDE], faces[50]], 1)).save(path / f"{WIDE:02d}.png")
    return path


class Counted:
    """A source that records which pictures are read, and can fail at one of them."""

    def __init__(self, pictures: FolderFaces | Shown, fail_at: int | None = None) -> None:
        self.pictures = pictures
        self.fail_at = fail_at
        self.read_indices: list[int] = []

    def __len__(self) -> int:
        return len(self.pictures)

    def name(self, index: int) -> str:
        return self.pictures.name(index)

    def read(self, index: int, image_size: int) -> Image.Image:
        raise AssertionError("pictures are read in their own size")

    def picture(self, index: int) -> Image.Image:
        if index == self.fail_at:
            raise ZeroDivisionError
        self.read_indices.append(index)
        return self.pictures.picture(index)

    def bytes(self, index: int) -> int:
        return self.pictures.bytes(index)

    def identity(self) -> dict[str, object]:
        return self.pictures.identity()


def scanned(
    folder: Path, cache: Path, fail_at: int | None = None, finder: "Finder | None" = None
) -> tuple[Scan, list[int]]:
    """Scan a folder in this process; return the scan and the indices that it read."""
    counted = Counted(FolderFaces(folder), fail_at)
    result = scan(counted, cache, finder, 1, "faces")
    return result, counted.read_indices


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """A finished scan, not to be modified."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "CHUNK", CHUNK)
        patch.setattr(outliers, "CONCENTRATION_STEPS", 0)
        return scanned(folder, tmp_path_factory.mktemp("scan"))[0]


@pytest.fixture
def cache(finished: Scan, tmp_path: Path) -> Path:
    """A copy of the folder of `finished`."""
    return Path(shutil.copytree(finished.folder.parent, tmp_path / "scan"))


def chunks_in(cache: Path) -> list[Path]:
    return sorted(cache.glob("*/chunk-*"))


def assert_same(one: Scan, other: Scan) -> None:
    assert one.records.tobytes() == other.records.tobytes()
    assert one.problems == other.problems
    every = np.arange(len(one.records))
    np.testing.assert_array_equal(one.descriptors(every), other.descriptors(every))
    np.testing.assert_array_equal(one.colours(every), other.colours(every))


def readable() -> list[int]:
    return [index for index in range(COUNT) if index not in BROKEN]


def test_records_agree_with_the_statistics_of_the_faces(finished: Scan, folder: Path):
    records = finished.records[readable()]
    assert (records["height"] == 64).all()
    assert records["width"].tolist() == [128 if index == WIDE else 64 for index in readable()]
    lengths = [(folder / f"{index:02d}.png").stat().st_size for index in readable()]
    assert records["bytes"].tolist() == lengths
    pixels = np.stack([finished.face(index) for index in readable()])
    for name in ("brightness", "contrast", "colour", "sharpness"):
        np.testing.assert_allclose(records[name], getattr(image_stats, name)(pixels), rtol=1e-5)
    assert len(set(records["outlier_score"])) == len(records) - 1


def test_a_face_is_the_centre_square_of_the_picture(finished: Scan, faces: np.ndarray):
    np.testing.assert_array_equal(finished.face(0), faces[0])
    middle = np.concatenate([faces[WIDE][:, 32:], faces[50][:, :32]], 1)
    np.testing.assert_array_equal(finished.face(WIDE), middle)


def test_hashes_are_equal_exactly_for_equal_pixels(finished: Scan):
    hashes = [tuple(finished.records["pixels"][index].tolist()) for index in readable()]
    assert len(set(hashes)) == len(hashes) - 1
    one, other = (finished.records["pixels"][index].tolist() for index in EQUAL)
    assert one == other


def test_the_same_bytes_in_another_shape_have_another_hash(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    shown = Shown([pixels, pixels.reshape(32, 64, 3), pixels.copy()])
    hashes = scan(shown, tmp_path, None, 1, "two").records["pixels"].tolist()
    assert hashes[0] == hashes[2] != hashes[1]


def test_unreadable_pictures_are_rows_with_a_reason(finished: Scan, tmp_path: Path):
    states = finished.records["state"]
    assert np.flatnonzero(states == UNREADABLE).tolist() == list(BROKEN)
    assert set(states[readable()]) == {READ}
    assert finished.records["index"].tolist() == list(range(COUNT))
    assert finished.problems == dict.fromkeys(BROKEN, "not a picture in a known format")
    assert not finished.face(next(iter(BROKEN))).any()


def test_descriptors_of_rows_are_those_of_their_faces(finished: Scan):
    rows = np.array([19, 0, 7, 7, 5, 6, 11, 12, 4])
    faces = np.stack([finished.face(int(row)) for row in rows])
    np.testing.assert_array_equal(finished.descriptors(rows), duplicates.describe(faces))
    assert finished.descriptors(rows[:0]).shape == (0, duplicates.DIMENSIONS)


def test_a_finished_scan_reads_nothing(finished: Scan, folder: Path, cache: Path):
    again, read = scanned(folder, cache)
    assert read == []
    assert_same(again, finished)


@pytest.mark.parametrize("number", [0, 2, 3])
def test_only_the_pictures_of_a_missing_chunk_are_read_again(
    finished: Scan, folder: Path, cache: Path, number: int
):
    assert [path.name for path in chunks_in(cache)] == [f"chunk-{part:06d}" for part in range(4)]
    shutil.rmtree(chunks_in(cache)[number])
    again, read = scanned(folder, cache)
    missing = range(CHUNK * number, min(CHUNK * (number + 1), COUNT))
    assert read == list(missing)
    assert_same(again, finished)


def test_a_crash_leaves_the_finished_chunks_and_nothing_broken(
    finished: Scan, folder: Path, cache: Path
):
    for path in chunks_in(cache):
        shutil.rmtree(path)
    with pytest.raises(ZeroDivisionError):
        scanned(folder, cache, fail_at=14)
    assert [path.name for path in chunks_in(cache)] == ["chunk-000000", "chunk-000001"]
    again, read = scanned(folder, cache)
    assert read == list(range(12, COUNT))
    assert_same(again, finished)


@pytest.mark.parametrize("function", ["write_json", "np.save"])
def test_a_crash_while_writing_a_chunk_leaves_no_chunk(
    finished: Scan, folder: Path, cache: Path, function: str, monkeypatch: pytest.MonkeyPatch
):
    shutil.rmtree(chunks_in(cache)[1])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(f"anime_dcgan.cleaning.scan.{function}", interrupted)
        scanned(folder, cache)
    assert len(chunks_in(cache)) == 3
    assert_same(scanned(folder, cache)[0], finished)


def interrupted(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_a_crash_while_sampling_leaves_nothing(finished: Scan, folder: Path, tmp_path: Path):
    with pytest.raises(ZeroDivisionError):
        scanned(folder, tmp_path, fail_at=19)
    assert [path for path in tmp_path.glob("*/*")] == []
    assert_same(scanned(folder, tmp_path)[0], finished)


def test_other_thresholds_read_nothing_again(folder: Path, cache: Path):
    counted = Counted(FolderFaces(folder))
    result = scan(counted, cache, None, 1, "faces")
    strict, mild = (judge_pictures(result, Thresholds(dark=dark), 0.1, 0) for dark in (255, 0))
    assert not strict.keep.any()
    assert mild.keep.any()
    assert counted.read_indices == []


def test_a_changed_source_is_scanned_again(
    finished: Scan, folder: Path, cache: Path, faces: np.ndarray, tmp_path: Path
):
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    before, _ = scanned(other, cache)
    Image.fromarray(faces[60]).save(other / "03.png")
    after, read = scanned(other, cache)
    assert set(read) == set(range(COUNT))
    changed = [index for index in range(COUNT) if hashes(before)[index] != hashes(after)[index]]
    assert changed == [3]
    np.testing.assert_array_equal(after.face(3), faces[60])
    assert len({finished.folder.name, before.folder.name, after.folder.name}) == 3


def hashes(result: Scan) -> list[tuple[int, int]]:
    return [tuple(pixels) for pixels in result.records["pixels"].tolist()]


def test_names_and_order_do_not_change_the_split(finished: Scan, folder: Path, tmp_path: Path):
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for index in range(COUNT):
        shutil.copy(folder / f"{index:02d}.png", renamed / f"{chr(122 - index)}.png")
    again, _ = scanned(renamed, tmp_path / "scan")
    sides = []
    for result in (finished, again):
        verdicts = judge_pictures(result, Thresholds(outlier=None), 0.5, 0)
        sides.append(set(zip(verdicts.keys, verdicts.held_out.tolist(), strict=True)))
    assert sides[0] == sides[1]
    assert {held_out for _, held_out in sides[0]} == {True, False}
    assert again.records["state"][COUNT - 1 - 4] == UNREADABLE


def test_several_workers_give_the_same_scan_as_one(
    finished: Scan, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scanning, "BATCH", 8)  # so that the sample is distributed as well
    assert_same(scan(FolderFaces(folder), tmp_path, None, 2, "faces"), finished)


class Finder:
    """A finder of two faces in wide pictures, none in the third, one in every other."""

    def __init__(self, none: bytes) -> None:
        self.none = none

    def regions(self, picture: Image.Image) -> list[Region]:
        if picture.tobytes() == self.none:
            return []
        face = Region(0.0, 0.0, 64.0)
        return [face] if picture.width == 64 else [face, Region(70.0, 5.0, 50.0, 10.0)]

    def settings(self) -> dict[str, str | int | float | None]:
        return {"none": len(self.none)}


def test_every_face_that_a_finder_finds_is_a_row(
    finished: Scan, folder: Path, cache: Path, faces: np.ndarray
):
    result, read = scanned(folder, cache, finder=Finder(faces[3].tobytes()))
    assert set(read) == set(range(COUNT))
    assert result.folder != finished.folder
    indices = result.records["index"].tolist()
    assert indices == sorted([*range(COUNT), WIDE])
    states = result.records["state"].tolist()
    assert [indices[row] for row, state in enumerate(states) if state == FACELESS] == [3]
    first, second = (result.records[row] for row, index in enumerate(indices) if index == WIDE)
    assert region_of(first) == Region(0.0, 0.0, 64.0)
    assert region_of(second) == Region(70.0, 5.0, 50.0, 10.0)
    assert (second["width"], second["height"]) == (128, 64)
    np.testing.assert_array_equal(result.face(WIDE), faces[WIDE])
    picture = finished.pictures.picture(WIDE)
    cut = np.asarray(Region(70.0, 5.0, 50.0, 10.0).cut(picture, image_stats.SIDE))
    np.testing.assert_array_equal(result.face(WIDE + 1), cut)
    described = result.descriptors(np.arange(WIDE, WIDE + 3))
    np.testing.assert_array_equal(
        described, duplicates.describe(np.stack([faces[7], cut, faces[8]]))
    )
    assert first["pixels"].tolist() != second["pixels"].tolist()


def test_large_pictures_are_measured_at_one_size(tmp_path: Path, faces: np.ndarray):
    large = np.asarray(Image.fromarray(faces[0]).resize((200, 150)))
    result = scan(Shown([large, faces[1]]), tmp_path, None, 1, "two")
    expected = np.asarray(fit(centre_square(Image.fromarray(large)), image_stats.SIDE))
    np.testing.assert_array_equal(result.face(0), expected)
    assert result.records["brightness"][0] == pytest.approx(
        image_stats.brightness(expected[None])[0]
    )


def test_a_scan_without_readable_pictures_is_an_error(tmp_path: Path):
    (tmp_path / "faces").mkdir()
    for index in range(3):
        (tmp_path / "faces" / f"{index}.png").write_bytes(b"not a picture")
    with pytest.raises(UserError, match="none of 3 pictures of some has a readable face"):
        scan(FolderFaces(tmp_path / "faces"), tmp_path / "scan", None, 1, "some")


def test_a_folder_that_cannot_be_written_is_an_error(folder: Path, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file.* cannot be written \(.*\): use another out="):
        scanned(folder, tmp_path / "file")
