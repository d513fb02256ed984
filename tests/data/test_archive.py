"""Archives of pictures: members, temporary files, and invalid archives."""

import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from anime_dcgan.data import picture_files
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system.errors import UserError
from tests.data.pictures import (
    ARCHIVES,
    COLOUR,
    encoded,
    make_archive,
    make_zip,
    plain,
)


@pytest.mark.parametrize("extension", ARCHIVES)
def test_pictures_in_archives_are_listed_and_read(tmp_path: Path, extension: str) -> None:
    shades = {f"./deep/{'x' * number}顔{number}.png": number * 20 for number in range(10)}
    members = {name: encoded(plain((shade, 0, 0))) for name, shade in shades.items()}
    members |= {"__MACOSX/._a.png": b"junk", "deep/readme.txt": b"text", "deep/bad.png": b"bad"}
    faces = FolderFaces(str(make_archive(tmp_path / f"faces{extension}", members)))
    copy = pickle.loads(pickle.dumps(faces))
    names = [faces.name(index) for index in range(len(faces))]
    assert names == sorted([*shades, "deep/bad.png"])
    for index in reversed(range(len(faces))):
        for opened in (faces, copy):
            if names[index] in shades:
                expected = (shades[names[index]], 0, 0)
                assert opened.read(index, 8).getpixel((0, 0)) == expected
            else:
                with pytest.raises(Unreadable):
                    opened.read(index, 8)
    copy.close()
    faces.close()


def test_a_compressed_tar_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    path = make_archive(tmp_path / "faces.tar.gz", {"face.png": encoded(plain())})
    faces = FolderFaces(str(path))
    faces.identity()
    assert not list(temporary.iterdir())
    faces.read(0, 8)
    copy = pickle.loads(pickle.dumps(faces))
    assert len(list(temporary.iterdir())) == 1
    copy.close()
    del copy
    assert faces.read(0, 8).getpixel((0, 0)) == COLOUR
    del faces
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("extension", [".tar", ".tar.gz"])
def test_hard_links_in_a_tar_are_read(tmp_path: Path, extension: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encoded(plain()))
    (tmp_path / "in" / "b.png").hardlink_to(tmp_path / "in" / "a.png")
    path = tmp_path / f"faces{extension}"
    with tarfile.open(path, "w:gz" if extension == ".tar.gz" else "w") as archive:
        archive.add(tmp_path / "in", "in")
    faces = FolderFaces(str(path))
    assert [faces.read(index, 8).getpixel((0, 0)) for index in range(len(faces))] == [COLOUR] * 2
    faces.close()


@pytest.mark.parametrize("extension", [".zip", ".tar", ".tar.gz"])
def test_names_that_point_outside_write_no_files(
    tmp_path: Path, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, temporary = tmp_path / "inner", tmp_path / "temporary"
    inner.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(inner)
    outside = ["../outside.png", f"{tmp_path}/absolute.png"]
    path = make_archive(inner / f"faces{extension}", dict.fromkeys(outside, encoded(plain())))
    faces = FolderFaces(str(path))
    assert [faces.read(index, 8).getpixel((0, 0)) for index in range(len(faces))] == [COLOUR] * 2
    faces.close()
    assert [found.name for found in tmp_path.rglob("*.png")] == []


@pytest.mark.parametrize("extension", ARCHIVES)
def test_members_of_too_many_bytes_are_unreadable(
    tmp_path: Path, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "MAX_FILE_BYTES", 10_000)
    members = {"a.png": encoded(plain()), "bomb.png": bytes(10_001)}
    faces = FolderFaces(str(make_archive(tmp_path / f"faces{extension}", members)))
    faces.read(0, 8)
    with pytest.raises(Unreadable, match="10,001 bytes"):
        faces.read(1, 8)
    faces.close()


def test_a_zip_member_with_a_false_size_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(1_000_000))
    data = path.read_bytes().replace(struct.pack("<I", 1_000_000), struct.pack("<I", 100))
    path.write_bytes(data)
    faces = FolderFaces(str(path))
    with pytest.raises(Unreadable, match="CRC"):
        faces.read(0, 8)
    faces.close()


def edit_first_entry(path: Path, offset: int, value: int) -> None:
    """Change a byte of the first member, in the directory and before its data."""
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + offset + 2] = value
    data[data.index(b"PK\x03\x04") + offset] = value
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "value", "reason"), [(6, 1, "encrypted"), (8, 9, "Deflate64"), (8, 97, "method 97")]
)
def test_a_zip_member_that_cannot_be_read_is_unreadable(
    tmp_path: Path, offset: int, value: int, reason: str
) -> None:
    path = make_zip(tmp_path / "faces.zip", {"a.png": encoded(plain()), "b.png": encoded(plain())})
    edit_first_entry(path, offset, value)
    faces = FolderFaces(str(path))
    with pytest.raises(Unreadable, match=reason):
        faces.read(0, 8)
    assert faces.read(1, 8).getpixel((0, 0)) == COLOUR
    faces.close()
    path = make_zip(path, {"a.png": encoded(plain())})
    edit_first_entry(path, offset, value)
    with pytest.raises(UserError, match=f"{reason}.*: unpack it, and use data.path=FOLDER"):
        FolderFaces(str(path))


def test_an_archive_of_archives_is_refused(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", {"a.png": encoded(plain())})
    path = make_zip(tmp_path / "outer.zip", {"deep/inner.zip": inner.read_bytes()})
    with pytest.raises(UserError, match=r"archives such as deep/inner\.zip: unpack them"):
        FolderFaces(str(path))


def test_the_parts_of_a_split_zip_are_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "faces.zip", {"a.png": encoded(plain())})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x05\x06") + 4] = 3  # the number of this part
    path.write_bytes(data)
    for part in (path, path.rename(tmp_path / "faces.z01")):
        path.write_bytes(data)
        with pytest.raises(UserError, match="one part of a split archive: join the parts"):
            FolderFaces(str(part))


def test_a_full_disk_while_unpacking_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_archive(tmp_path / "faces.tar.gz", {"a.png": encoded(plain())})
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (os.open("/dev/null", 0), "/dev/full"))
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(UserError, match=r"No space left on device\): set TMPDIR"):
        len(FolderFaces(str(path)))


@pytest.mark.parametrize("extension", [".zip", ".tar.gz"])
def test_the_identity_of_an_archive_depends_on_the_file(tmp_path: Path, extension: str) -> None:
    path = make_archive(tmp_path / f"faces{extension}", {"a.png": encoded(plain())})
    faces = FolderFaces(str(path))
    os.utime(path, ns=(1, 1))
    later = FolderFaces(str(path))
    assert faces.identity() != later.identity()
    faces.close()
    later.close()
