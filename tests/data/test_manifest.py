"""Manifests: written and read back, edited in a spreadsheet, damaged, and trained on."""

import csv
import errno
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.manifest import COLUMNS, ManifestFaces, read_manifest, write_manifest
from anime_dcgan.data.source import HasSplit
from anime_dcgan.system.errors import UserError
from tests.data.pictures import encoded, make_tar, make_zip, plain

FORMULAS = ["=1+1.png", "+1.png", "-1.png", "@SUM(A1).png", "\tb.png", "\rc.png"]
SCRIPTS = ["顔/アニメ.png", "лицо.webp", "وجه.bmp", "é.png", "e\u0301.png", "😀.png"]
DOTS = ["./a.png", "././a.png", "./=1+1.png", "../a.png", "a/./b.png", "..png"]
BREAKS = ["a\nb.png", "a\rb.png", "a\r\nb.png", "\n.png", "a,b.png", "a;b.png", 'a"b".png', '".png']
BYTES = ["\udcff\udcfe.png", "a\udc80,\n.png"]
UNDECODABLE = set(map(chr, range(0xDC80, 0xDD00)))  # not possible in a zip
OTHERS = [" a .png", "'a.png", "\ufeffa.png", "a.png", "%2e/a.png", "nan", "0"]
NAMES = [*FORMULAS, *SCRIPTS, *DOTS, *BREAKS, *BYTES, *OTHERS]

HEAD = "source,name,region,verdict,split\n"


def row(name: str, source: str = "/faces", **changes: Any) -> dict[str, Any]:
    """Return a row as `prepare` writes it, with unspecified columns empty."""
    values = {"source": source, "name": name, "verdict": "keep", "split": "train"}
    return {**dict.fromkeys(COLUMNS, ""), **values, **changes}


def test_a_manifest_is_read_back_as_written(tmp_path: Path):
    path = tmp_path / "manifest.csv"
    written = [
        row(
            name,
            source=f"/pile,\n{other}",
            duplicate_of=other,
            reason='near-duplicate, "outlier"',
            width=64,
        )
        for name, other in zip(NAMES, reversed(NAMES), strict=True)
    ]
    write_manifest(path, written)
    assert list(read_manifest(path)) == [{**one, "width": "64"} for one in written]
    assert [found.name for found in tmp_path.iterdir()] == ["manifest.csv"]


def test_names_that_are_not_utf_8_keep_their_bytes(tmp_path: Path):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [row(name) for name in ("顔.png", os.fsdecode(b"\xff\xfe.png"))])
    assert "顔.png".encode() in path.read_bytes()
    assert b"\xff\xfe.png" in path.read_bytes()


def test_no_name_is_a_formula_in_a_spreadsheet(tmp_path: Path):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [row(name, duplicate_of=name) for name in NAMES])
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert len(cells) == (1 + len(NAMES)) * len(COLUMNS)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three pictures of a single colour each."""
    location = tmp_path / "faces"
    location.mkdir()
    for number, name in enumerate("abc"):
        (location / f"{name}.png").write_bytes(encoded(plain((50 * number, 0, 0))))
    return location


def manifest(folder: Path, lines: str, head: str = HEAD) -> Path:
    """Write a manifest by hand; `@` stands for the folder."""
    path = folder.parent / "manifest.csv"
    path.write_text(head + lines.replace("@", str(folder)), encoding="utf-8")
    return path


def shade(faces: ManifestFaces, index: int) -> int:
    pixel = faces.read(index, 4).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return int(pixel[0])


def test_kept_pictures_are_in_the_order_of_the_rows(folder: Path):
    lines = "@,c.png,,keep,train\n@,b.png,,drop,\n@,a.png,,keep,holdout\n"
    faces = ManifestFaces(manifest(folder, lines))
    assert isinstance(faces, HasSplit)
    assert [faces.name(index) for index in range(len(faces))] == ["c.png", "a.png"]
    assert [shade(faces, index) for index in range(2)] == [100, 0]
    assert faces.held_out(np.array([0, 1, 1])).tolist() == [False, True, True]


def test_sources_may_contain_the_same_names(folder: Path):
    others = {"A.png": plain((150, 0, 0)), "a.png": plain((200, 0, 0))}
    members = {name: encoded(picture) for name, picture in others.items()}
    archive = make_zip(folder.parent / "more.zip", members)
    lines = f"{archive},a.png,,keep,train\n@,a.png,,keep,train\n{archive},a.png,,keep,train\n"
    faces = ManifestFaces(manifest(folder, lines))
    assert [shade(faces, index) for index in range(3)] == [200, 0, 200]
    copy = pickle.loads(pickle.dumps(faces))
    assert [shade(copy, index) for index in range(3)] == [200, 0, 200]


def test_a_region_is_cropped_and_a_picture_without_one_is_not(folder: Path):
    picture = plain((10, 0, 0), (40, 20))
    picture.paste((90, 0, 0), (30, 0, 40, 10))
    (folder / "wide.png").write_bytes(encoded(picture))
    regions = ("30 0 10 0", "", "0 0 10 0", "30 0 10 180")
    lines = "".join(f"@,wide.png,{region},keep,train\n" for region in regions)
    faces = ManifestFaces(manifest(folder, "@,a.png,1 1 2 0,drop,\n" + lines))
    assert [shade(faces, index) for index in range(4)] == [90, 10, 10, 90]
    assert (np.asarray(faces.read(0, 8))[..., 0] == 90).all()


def test_columns_may_be_missing_added_and_in_any_order(folder: Path):
    head = "split,note,verdict,name,source\n"
    faces = ManifestFaces(manifest(folder, "train,mine,keep,b.png,@\n", head))
    assert shade(faces, 0) == 50


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_a_picture_of_any_name_is_found_again(tmp_path: Path, kind: str):
    names = [name for name in [*NAMES, "\udc80/\udcff.png"] if name.endswith(".png")]
    if kind == "folder":
        names = [name for name in names if "./" not in name]  # the same path without it
    if kind == "zip":
        names = [name for name in names if not UNDECODABLE & set(name)]
    members = {name: encoded(plain((number, 0, 0))) for number, name in enumerate(names)}
    if kind == "zip":
        location = make_zip(tmp_path / "faces.zip", members)
    elif kind == "tar":
        location = make_tar(tmp_path / "faces.tar", members, "w")
    else:
        location = tmp_path / "faces"
        for name, data in members.items():
            (location / name).parent.mkdir(parents=True, exist_ok=True)
            (location / name).write_bytes(data)
    source = FolderFaces(location)
    listed = [source.name(index) for index in range(len(source))]
    source.close()
    assert len(listed) >= 15 and set(listed) <= set(names)
    path = tmp_path / "manifest.csv"
    write_manifest(path, [row(name, str(location)) for name in reversed(listed)])
    faces = ManifestFaces(path)
    for index, name in enumerate(reversed(listed)):
        assert faces.name(index) == name
        assert shade(faces, index) == names.index(name)


@pytest.mark.parametrize(
    ("first", "separator"), [("", ","), ("", ";"), ("", "\t"), ("sep=;\r\n", ";")]
)
def test_a_manifest_saved_by_excel_is_the_same(folder: Path, first: str, separator: str):
    path = manifest(folder, "@,a.png,,keep,train\n@,b.png,,keep,holdout\n@,c.png,,drop,\n")
    rows = list(read_manifest(path))
    text = first + path.read_text().replace("\n", "\r\n").replace(",", separator)
    path.write_bytes(text.encode("utf-8-sig"))
    assert list(read_manifest(path)) == rows
    faces = ManifestFaces(path)
    assert [shade(faces, index) for index in range(2)] == [0, 50]
    assert faces.held_out(np.arange(2)).tolist() == [False, True]


def user_error(path: Path | str | None) -> str:
    with pytest.raises(UserError) as caught:
        ManifestFaces(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("@,b.png,,kept,train", "verdict='kept' in line 3: use keep or drop"),
        ("@,b.png,,,train", "verdict='' in line 3: use keep or drop"),
        ("@,b.png,,Keep,train", "verdict='Keep' in line 3: use keep or drop"),
        ("@,b.png,,keep,", "split='' in line 3: use train or holdout"),
        ("@,b.png,,keep,test", "split='test' in line 3: use train or holdout"),
        ("@,b.png,1 2 3,keep,train", "region='1 2 3' in line 3: use left top side angle"),
        ("@,b.png,1 2 0 0,keep,train", "region='1 2 0 0' in line 3: use left top side angle"),
        (",b.png,,keep,train", "source='' in line 3: use a folder or an archive"),
        ("@,b.png", "verdict=None in line 3: use keep or drop"),
        ('@,"b.png,,keep,train', "verdict=None in line 3: use keep or drop"),
    ],
)
def test_an_invalid_cell_is_reported_with_its_line_and_valid_values(
    folder: Path, lines: str, message: str
):
    path = manifest(folder, f"@,a.png,,keep,train\n{lines}\n@,c.png,,keep,train\n")
    assert user_error(path) == f"{path} has {message}"


@pytest.mark.parametrize("column", ["source", "name", "verdict", "split"])
def test_a_missing_column_is_named(folder: Path, column: str):
    path = manifest(folder, "@,a.png,,keep,train\n", HEAD.replace(column, "other"))
    assert f"{path} is not a manifest: it has no column {column}" in user_error(path)


NOT_A_MANIFEST = {
    "spaces": b"source name verdict split\n/faces a.png keep train\n",
    "nothing": b"",
    "text": b"These are my faces.\n",
    "a picture": encoded(plain()),
    "zeros": bytes(1000),
    "random bytes": np.random.default_rng(0).bytes(100_000),
    "UTF-16, as Excel's Unicode text": HEAD.encode("utf-16"),
    "one endless cell": b"source,name,verdict,split\n" + b"a" * 200_000,
}


@pytest.mark.parametrize("contents", NOT_A_MANIFEST.values(), ids=NOT_A_MANIFEST.keys())
def test_a_file_that_is_not_a_manifest_is_rejected(tmp_path: Path, contents: bytes):
    path = tmp_path / "manifest.csv"
    path.write_bytes(contents)
    assert user_error(path).startswith(f"{path} is not a manifest: ")


def test_zeros_among_the_rows_are_reported(folder: Path):
    path = manifest(folder, "@,a.png,,keep,train\n")
    path.write_bytes(path.read_bytes() + bytes(500))
    assert "in line 3: use keep or drop" in user_error(path)


def test_a_manifest_that_cannot_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    missing = tmp_path / "missing.csv"
    assert f"the manifest {missing} cannot be read (No such file" in user_error(missing)
    assert "cannot be read (it is a folder" in user_error(tmp_path)
    (tmp_path / "shut.csv").write_text(HEAD)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be read (Permission denied)" in user_error(tmp_path / "shut.csv")


@pytest.mark.parametrize("path", [None, "", "???"])
def test_the_path_of_the_manifest_is_required(path: str | None):
    assert "add data.manifest=FILE.csv" in user_error(path)


def test_a_manifest_that_keeps_nothing_is_rejected(folder: Path):
    assert "keeps no pictures" in user_error(manifest(folder, "@,a.png,,drop,\n"))


def test_missing_pictures_are_counted_and_one_is_named(folder: Path):
    lines = "".join(f"@,{name}.png,,keep,train\n" for name in "abc")
    path = manifest(folder, lines)
    (folder / "b.png").unlink()
    (folder / "c.png").rename(folder / "d.png")
    message = user_error(path)
    assert message.startswith(f"{path} names 2 pictures that no longer exist, such as")
    assert "'b.png'" in message


def test_a_missing_source_is_named_with_the_manifest(folder: Path):
    path = manifest(folder, "@,a.png,,keep,train\n")
    folder.rename(folder.with_name("moved"))
    problem = f"{path}: source {folder} cannot be used (No such file or directory)"
    assert user_error(path) == f"{problem}: use a folder or an archive of pictures"


def test_the_identity_depends_on_the_manifest_and_the_pictures(folder: Path):
    lines = "@,a.png,,keep,train\n@,b.png,,keep,train\n"
    path = manifest(folder, lines)
    identities = [ManifestFaces(path).identity()]
    assert ManifestFaces(path).identity() == identities[0]
    manifest(folder, lines.replace("b.png,,keep,train", "b.png,,keep,holdout"))
    identities.append(ManifestFaces(path).identity())
    manifest(folder, lines.replace("a.png,,", "a.png,1 1 2 0,"))
    identities.append(ManifestFaces(path).identity())
    Image.new("RGB", (9, 9)).save(folder / "b.png")
    identities.append(ManifestFaces(path).identity())
    assert not [one for index, one in enumerate(identities) if one in identities[:index]]


def test_an_open_manifest_can_be_replaced(tmp_path: Path):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [row("old.png")])
    before = path.read_bytes()
    with path.open("rb") as reader:
        write_manifest(path, [row("new.png")])
        assert reader.read() == before
    assert path.read_bytes() == before.replace(b"old", b"new")


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failed_write_leaves_the_previous_manifest(tmp_path: Path, fault: BaseException):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [row("old.png")])
    before = path.read_bytes()

    def rows() -> Iterator[dict[str, Any]]:
        yield from (row(f"{number}.png") for number in range(5000))
        raise fault

    with pytest.raises(type(fault)):
        write_manifest(path, rows())
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["manifest.csv"]
