"""Invalid, damaged and hostile archives of collections, which are rejected in one line."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_dcgan.studio.store import (
    Store,
    archive,
    import_collection,
)
from anime_dcgan.system.errors import UserError
from tests.studio.archives import GOOD, PICTURES, changed, zipped
from tests.studio.store_helpers import face, png, query


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "here.db") as store:
        yield store


def assert_rejected(store: Store, file: io.BytesIO, match: str | None = None) -> None:
    with pytest.raises(UserError, match=match) as caught:
        import_collection(store, file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert store.collections() == []
    assert query(store.database.path, "SELECT * FROM saved") == []


def test_a_valid_archive_is_imported(store: Store):
    assert import_collection(store, zipped(GOOD)).added == 2


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("format", "zip", "not a collection of the studio"),
        ("version", 2, "version 2"),
        ("version", None, "version None"),
        ("version", "9" * 999, "version 9"),
        ("name", "", "1 to 200"),
        ("name", ["x"], "name .* must be of type"),
        ("name", "x" * 201, "1 to 200"),
        ("name", "\ud800", "unpaired surrogate"),
        ("faces", {}, "faces .* must be of type"),
        ("faces.0", None, "face 1 .* must be of type"),
        ("faces.0.face", None, "face 1 .*object with the keys"),
        ("faces.0.face.run", "../../etc", "face 1 .*relative to the folder"),
        ("faces.0.face.latent", "AAAA", "face 1 .*either a seed or a latent"),
        ("faces.0.face.moves", {"up": 1}, "face 1 .*direction"),
        ("faces.0.face", face(2).to_json(), "same face twice"),
        ("faces.0.member", 1, "must be of type"),
        ("faces.0.story", None, "must be of type"),
        ("faces.0.story", "x" * 20_001, "20000"),
        ("faces.0.favourite", "yes", "must be of type"),
        ("faces.0.how", {"a": 1}, "how="),
        ("faces.0.parents", [{"number": 2, "share": 1}], "descends from itself"),
        ("faces.1.parents", [{"number": 2, "share": 1}], "descends from itself"),
        ("faces.1.parents", [{"number": 3, "share": 1}], "does not contain"),
        ("faces.1.parents", [{"number": 0, "share": 1}], "does not contain"),
        ("faces.1.parents", [{"number": True, "share": 1}], "must be of type"),
        ("faces.1.parents", [{"number": 1, "share": 1e999}], "Infinity"),
        ("faces.1.parents", [{"number": 1}], "share="),
        ("faces.1.parents", [{"number": 1, "share": 0.1}] * 9, "8 parents"),
    ],
)
def test_invalid_contents_are_rejected(store: Store, path: str, value: Any, match: str):
    assert_rejected(store, zipped(changed(path, value)), match)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "null", "1", '"x"', "{", "[" * 200_000, '{"a":' * 200_000, b"\xff\xfe\x00"),
        json.dumps(GOOD).replace("1.0", "9" * 10_000),
        json.dumps(GOOD).replace("1.0", "NaN"),
    ],
)
def test_invalid_json_is_rejected(store: Store, text: str | bytes):
    assert_rejected(store, zipped(text))


@pytest.mark.parametrize(
    ("pictures", "match"),
    [
        ({}, "does not contain faces/00001.png"),
        ({**PICTURES, "faces/00002.png": b"GIF89a"}, "face 2 .*must be a PNG"),
        ({**PICTURES, "faces/00002.png": png(size=(600, 600))}, "face 2 .*512 pixels"),
        ({**PICTURES, "faces/00002.png": b"\0" * (2**20 + 1)}, "faces/00002.png .* too large"),
    ],
)
def test_invalid_pictures_are_rejected(store: Store, pictures: dict[str, bytes], match: str):
    assert_rejected(store, zipped(GOOD, pictures), match)


def test_names_in_an_archive_are_never_used_as_paths(store: Store, tmp_path: Path):
    before = set(tmp_path.rglob("*"))
    evil = {"../evil.png": png(), "/tmp/evil-of-the-studio.png": png(), "faces/../../x": b"x"}
    import_collection(store, zipped(GOOD, PICTURES | evil))
    assert not Path("/tmp/evil-of-the-studio.png").exists()
    assert {path for path in tmp_path.rglob("*") if "here.db" not in path.name} <= before


def test_zip_bombs_are_rejected(store: Store):
    zeros = b"0" * (archive.MAX_JSON_BYTES + 1)
    assert_rejected(store, zipped(zeros, compression=zipfile.ZIP_DEFLATED), "too large")
    bombs = {f"{number}": bytes(2**24) for number in range(17)}
    file = zipped(GOOD, PICTURES | bombs, compression=zipfile.ZIP_DEFLATED)
    assert len(file.getvalue()) < 2**20
    assert_rejected(store, file, "decompresses to more than 256 MiB")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unsupported_compression_methods_are_rejected(store: Store, method: int):
    assert_rejected(store, zipped(GOOD, compression=method), "unsupported method")


def lie(
    offset_in_entry: int, value: bytes, data: bytearray, signature: bytes = b"PK\x01\x02"
) -> io.BytesIO:
    """Overwrite a field of the first entry in the central directory."""
    start = data.index(signature) + offset_in_entry
    data[start : start + len(value)] = value
    return io.BytesIO(bytes(data))


def test_wrong_sizes_and_encrypted_entries_are_rejected(store: Store):
    good = bytearray(zipped(GOOD).getvalue())
    assert_rejected(
        store, lie(24, (9).to_bytes(4, "little"), bytearray(good))
    )  # less than the real size
    assert_rejected(store, lie(24, (2**24).to_bytes(4, "little"), bytearray(good)))
    assert_rejected(store, lie(8, b"\x01\x00", bytearray(good)), "encrypted")


def test_an_oversized_central_directory_is_not_read(store: Store, monkeypatch: pytest.MonkeyPatch):
    many = zipped(GOOD, PICTURES | {str(number): b"" for number in range(200)})
    monkeypatch.setattr(archive, "MAX_FACES", 50)

    def fail(*_: object) -> None:
        raise AssertionError("the central directory was read")

    monkeypatch.setattr(zipfile, "ZipFile", fail)
    assert_rejected(store, many, "more than 50 faces")


def test_duplicate_names_are_rejected(store: Store):
    with pytest.warns(UserWarning, match="Duplicate"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as target:
            target.writestr("collection.json", json.dumps(GOOD))
            target.writestr("collection.json", "{}")
    assert_rejected(store, file, "two files of the same name")


def test_an_oversized_file_is_rejected(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 500)
    assert_rejected(store, zipped(GOOD), "larger than")


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 5000, b"PK\x05\x06" + bytes(18)])
def test_files_that_are_not_archives_are_rejected(store: Store, content: bytes):
    assert_rejected(store, io.BytesIO(content))


def test_a_missing_file_is_reported(store: Store, tmp_path: Path):
    with pytest.raises(UserError, match="not a collection"):
        import_collection(store, tmp_path / "nothing.zip")


def test_a_failed_import_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch):
    from anime_dcgan.studio.store import import_export

    def fail(*_: object, **__: object) -> bool:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(import_export, "_update_member", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        import_collection(store, zipped(GOOD))
    assert store.collections() == []
    assert query(store.database.path, "SELECT * FROM saved") == []


@settings(max_examples=150, deadline=None, database=None)
@given(data=st.data())
def test_corrupted_archives_are_imported_or_rejected_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    content = bytearray(zipped(GOOD, compression=zipfile.ZIP_DEFLATED).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(content) - 1))
        content[index] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(content)))
    with Store(shared_path(tmp_path_factory)) as store:
        try:
            import_collection(store, io.BytesIO(bytes(content[:cut])))
        except UserError as error:
            assert "\n" not in str(error)


def shared_path(factory: pytest.TempPathFactory) -> Path:
    """Return one database for all examples, as creating it takes longer than an import."""
    return factory.getbasetemp() / "mutated.db"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


FIELDS = [
    *("format", "version", "name", "faces", "faces.0", "faces.0.face", "faces.0.face.seed"),
    *("faces.0.face.moves", "faces.0.face.truncation", "faces.0.member", "faces.0.story"),
    *("faces.0.how", "faces.1.parents", "faces.1.parents.0", "faces.1.parents.0.number"),
    *("faces.1.parents.0.share", "faces.1.favourite", "faces.0.face.latent"),
]


@settings(max_examples=150, deadline=None, database=None)
@given(path=st.sampled_from(FIELDS), value=VALUES)
def test_arbitrary_contents_are_imported_or_rejected_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, path: str, value: Any
):
    with Store(shared_path(tmp_path_factory)) as store:
        try:
            import_collection(store, zipped(changed(path, value)))
        except UserError as error:
            assert "\n" not in str(error)
