"""Folders of pictures: listing, identity, and unusable paths."""

import os
from pathlib import Path

import numpy as np
import pytest

from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system.errors import UserError
from tests.data.pictures import ARCHIVES, COLOUR, encoded, make_archive, make_zip, plain
from tests.privileges import unprivileged

BITMAP = encoded(plain(), "BMP")


def test_a_deleted_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(encoded(plain()))
    faces = FolderFaces(str(tmp_path))
    (tmp_path / "face.png").unlink()
    with pytest.raises(Unreadable, match="No such file"):
        faces.read(0, 8)


def test_pictures_in_nested_folders_are_sorted_by_name(tmp_path: Path) -> None:
    names = ["b.png", "a/2.JPEG", "a/10.png", "顔/アニメ.png", "лицо.webp", "a b/é.gif", "وجه.bmp"]
    names += ["noextension", "wrong.txt"]
    junk = [".hidden.png", "._b.png", "__MACOSX/c.png", ".git/d.png"]
    for name in names + junk:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(plain()))
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to("nowhere")
    faces = FolderFaces(str(tmp_path))
    assert [faces.name(index) for index in range(len(faces))] == sorted(names)
    for index in range(len(faces)):
        assert faces.read(index, 8).getpixel((0, 0)) == COLOUR


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_a_name_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    Path(os.fsdecode(raw)).write_bytes(encoded(plain()))
    faces = FolderFaces(str(tmp_path))
    assert faces.read(0, 8).getpixel((0, 0)) == COLOUR
    assert faces.identity()["pictures"] == 1


def test_symlinks_are_followed_and_loops_end(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    for folder in (elsewhere, root / "inner"):
        folder.mkdir(parents=True)
        (folder / "face.png").write_bytes(encoded(plain()))
    (root / "linked").symlink_to(elsewhere)
    (root / "inner" / "up").symlink_to(root)
    (elsewhere / "back").symlink_to(root)
    (root / "self.png").symlink_to("self.png")
    faces = FolderFaces(str(root))
    assert [faces.name(index) for index in range(2)] == ["inner/face.png", "linked/face.png"]
    assert len(faces) == 2


def test_folders_without_access_are_named(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path, tmp_path / "mine"):
        (folder / "face.png").write_bytes(encoded(plain()))
    for mode, problem in ((0o111, "mine cannot be listed"), (0o444, "face.png cannot be read")):
        (tmp_path / "mine").chmod(mode)
        with unprivileged(), pytest.raises(UserError, match=problem):
            FolderFaces(str(tmp_path))
        (tmp_path / "mine").chmod(0o755)


def user_error(path: object) -> str:
    with pytest.raises(UserError) as caught:
        len(FolderFaces(path))  # pyright: ignore[reportArgumentType]
    message = str(caught.value)
    assert "data.path=" in message
    assert message.count("\n") <= 1
    return message


@pytest.mark.parametrize("path", [None, "", "???"])
def test_the_path_is_required(path: str | None) -> None:
    assert "data.path=FOLDER" in user_error(path)


def test_unusable_paths_are_reported(tmp_path: Path) -> None:
    assert "No such file" in user_error(str(tmp_path / "nowhere"))
    (tmp_path / "text.txt").write_text("text")
    assert "neither a folder nor a supported archive" in user_error(str(tmp_path / "text.txt"))
    assert "Not a directory" in user_error(str(tmp_path / "text.txt" / "below"))
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    message = user_error(str(tmp_path))
    assert "holds no pictures; 2 other files passed over: " in message
    assert "1 .heic" in message
    make_zip(tmp_path / "a.zip", {})
    assert f"archives such as a.zip: unpack them, or use data.path={tmp_path}" in user_error(
        tmp_path
    )


@pytest.mark.parametrize("extension", ARCHIVES)
def test_unusable_archives_are_reported(tmp_path: Path, extension: str) -> None:
    path = make_archive(tmp_path / f"faces{extension}", {"notes.txt": b"text"})
    assert "holds no pictures" in user_error(str(path))
    noise = np.random.default_rng(0).bytes(50_000)
    path = make_archive(tmp_path / f"cut{extension}", {"a.png": noise, "b.png": noise})
    path.write_bytes(path.read_bytes()[:30_000])
    assert "broken archive" in user_error(str(path))
    path.write_bytes(b"")
    assert "broken archive" in user_error(str(path))


def test_missing_permissions_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "faces.zip", {"a.png": encoded(plain())})

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zipfile.ZipFile", refuse)
    assert "Permission denied" in user_error(str(path))
    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(UserError, match=r"cannot be listed \(Permission denied\)"):
        FolderFaces(str(tmp_path))


def test_the_identity_of_a_folder_depends_on_its_pictures(tmp_path: Path) -> None:
    def identity() -> dict[str, object]:
        return FolderFaces(str(tmp_path)).identity()

    (tmp_path / "a.png").write_bytes(encoded(plain()))
    identities = [identity()]
    assert identity() == identities[0]
    assert identities[0]["path"] == str(tmp_path.resolve())
    (tmp_path / "b.png").write_bytes(encoded(plain()))
    identities.append(identity())
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    identities.append(identity())
    (tmp_path / "c.png").write_bytes(encoded(plain(size=(9, 9))))
    identities.append(identity())
    os.utime(tmp_path / "c.png", ns=(1, 1))
    identities.append(identity())
    for index, one in enumerate(identities):
        assert one not in identities[:index]
    (tmp_path / "notes.txt").write_text("text")
    assert identity() == identities[-1]


def test_files_that_are_not_pictures_are_counted_by_extension(tmp_path: Path) -> None:
    members = {"a.png": encoded(plain()), "b": encoded(plain(), "JPEG"), "c.bin": b"P6 text"}
    members |= {f"{name}.heic": b"\0\0\0\x18ftypheic" for name in "ab"}
    members |= {"empty": b"", ".hidden": b"text", "BMW": b"BM is a car", "bitmap": BITMAP}
    for name, data in members.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / ".packed").mkdir()
    archives = [make_archive(tmp_path / ".packed" / f"a{each}", members) for each in ARCHIVES[:3]]
    for path in (tmp_path, *archives):
        faces = FolderFaces(path)
        assert [faces.name(index) for index in range(len(faces))] == ["a.png", "b", "bitmap"]
        assert faces.passed_over() == {"without an extension": 2, ".heic": 2, ".bin": 1}
        assert faces.read(1, 8).size == (8, 8)
        faces.close()


@pytest.mark.parametrize(("name", "extension"), [("faces", ".zip"), ("faces.cbz", ".zip")])
def test_an_archive_is_recognised_by_its_first_bytes(
    tmp_path: Path, name: str, extension: str
) -> None:
    path = make_archive(tmp_path / f"a{extension}", {"a.png": encoded(plain())})
    assert len(FolderFaces(path.rename(tmp_path / name))) == 1
