"""Exporting and importing collections, and rejecting hostile archives."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from anime_dcgan.studio.store import (
    SavedFace,
    Store,
    archive,
    export_collection,
    import_collection,
)
from anime_dcgan.system.errors import NotFoundError, UserError
from tests.studio.store_helpers import face, png, query


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "here.db") as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "there.db") as store:
        yield store


def fill(store: Store) -> int:
    """Return a new collection of a child and its parent, with a grandparent outside of it."""
    group = store.create_collection("Blue, 青")
    store.save(face(2, moves={"sefa.0": 1.5}), png(2), how="projection", parents=[])
    old = (face(1), png(1), 0.75)
    parent = store.save(face(3), png(3), "the mother", False, "edit", parents=[old])
    both = [(face(3), png(3), 0.25), (face(2, moves={"sefa.0": 1.5}), png(2), 0.5)]
    child = store.save(face(4, truncation=0.7), png(4), "the child\n日本", True, "breed", both)
    outside = store.find(face(1))
    assert outside
    store.change(outside.id, story="a secret", favourite=True)
    for one in (parent, child):
        store.add_to_collection(group.id, one.id)
    return group.id


def exported(store: Store, id: int, path: Path) -> bytes:
    export_collection(store, id, path)
    return path.read_bytes()


def snapshot(store: Store, collection: int) -> list[tuple[Any, ...]]:
    """Return the contents of a collection without ids and times."""
    return [
        (*(one.face, one.story, one.favourite, one.how, store.thumb(one.id)), lineage(store, one))
        for one in store.browse(collection=collection).faces
    ]


def lineage(store: Store, one: SavedFace) -> list[tuple[Any, ...]]:
    """Return all edges to ancestors in order, with their pictures and methods."""
    nodes = {node.id: node for node in store.family(one.id).nodes}
    lines, waiting = [], [one]
    while waiting:
        child = waiting.pop()
        for parent in child.parents:
            above = nodes[parent.id]
            lines.append((child.face, above.face, parent.share, above.how, store.thumb(parent.id)))
            waiting.append(above)
    return lines


def test_export_and_import_preserve_a_collection(store: Store, other: Store, tmp_path: Path):
    here = fill(store)
    first = exported(store, here, tmp_path / "a.zip")
    result = import_collection(other, tmp_path / "a.zip")
    assert (result.added, result.existing, result.collection.count) == (2, 0, 2)
    assert result.collection.name == "Blue, 青"
    assert snapshot(other, result.collection.id) == snapshot(store, here)
    assert exported(other, result.collection.id, tmp_path / "b.zip") == first
    # The grandparents are in the tree but not in any list.
    assert len(other.browse().faces) == 2
    child = other.browse().faces[0]
    assert [node.hidden for node in other.family(child.id).nodes].count(True) == 2


def test_stories_of_ancestors_outside_the_collection_are_not_exported(store: Store, tmp_path: Path):
    content = exported(store, fill(store), tmp_path / "a.zip")
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        assert "a secret" not in source.read("collection.json").decode()
        assert sorted(source.namelist())[1:] == [f"faces/{n:05}.png" for n in (1, 2, 3, 4)]


def test_importing_twice_adds_no_faces(store: Store, tmp_path: Path):
    here = fill(store)
    exported(store, here, tmp_path / "a.zip")
    before = store.browse().faces
    results = [import_collection(store, tmp_path / "a.zip") for _ in range(2)]
    assert [(one.added, one.existing) for one in results] == [(0, 2), (0, 2)]
    assert [one.collection.name for one in results] == ["Blue, 青 (2)", "Blue, 青 (3)"]
    assert [one.face for one in store.browse().faces] == [one.face for one in before]
    assert snapshot(store, results[1].collection.id) == snapshot(store, here)


def test_a_taken_name_of_maximum_length_is_shortened(store: Store, tmp_path: Path):
    group = store.create_collection("x" * 200)
    exported(store, group.id, tmp_path / "a.zip")
    assert import_collection(store, tmp_path / "a.zip").collection.name == "x" * 196 + " (2)"


def test_import_keeps_existing_values_and_fills_in_missing_ones(
    store: Store, other: Store, tmp_path: Path
):
    exported(store, fill(store), tmp_path / "a.zip")
    mine = other.save(face(4, truncation=0.7), png(99), "mine", parents=[(face(7), png(7), 1.0)])
    empty = other.save(face(3), png(98))
    hidden = other.save(face(1), png(97))
    result = import_collection(other, tmp_path / "a.zip")
    assert (result.added, result.existing) == (0, 2)
    after = other.get(mine.id)
    assert (after.story, after.favourite, after.parents) == ("mine", False, mine.parents)
    assert other.thumb(mine.id) == png(99)
    after = other.get(empty.id)
    assert (after.story, after.favourite, after.how) == ("the mother", False, "edit")
    assert [parent.id for parent in after.parents] == [hidden.id]
    assert other.get(hidden.id).story == ""
    # The other parent of face 4 has no descendants in this store.
    assert query(other.database.path, "SELECT count(*) FROM saved") == [(4,)]


def test_import_restores_a_removed_face_as_new(store: Store, other: Store, tmp_path: Path):
    exported(store, fill(store), tmp_path / "a.zip")
    other.save(face(9), png(9), parents=[(face(3), png(3), 1.0)])
    removed = other.find(face(3))
    assert removed
    other.remove(removed.id)
    result = import_collection(other, tmp_path / "a.zip")
    assert (result.added, result.existing) == (2, 0)
    assert other.get(removed.id).story == "the mother"


def test_conflicting_families_do_not_form_a_cycle(store: Store, other: Store, tmp_path: Path):
    exported(store, fill(store), tmp_path / "a.zip")
    other.save(face(1), png(1), parents=[(face(3), png(3), 1.0)])  # the reverse of the archive
    import_collection(other, tmp_path / "a.zip")
    mother = other.find(face(3))
    assert mother and mother.parents == ()


def test_an_empty_collection_can_be_exported_and_imported(
    store: Store, other: Store, tmp_path: Path
):
    exported(store, store.create_collection("nothing").id, tmp_path / "a.zip")
    with (tmp_path / "a.zip").open("rb") as file:
        result = import_collection(other, file)
    assert (result.collection.name, result.added, result.existing) == ("nothing", 0, 0)


def test_exporting_a_missing_collection_raises_not_found(store: Store, tmp_path: Path):
    with pytest.raises(NotFoundError):
        export_collection(store, 5, tmp_path / "a.zip")
    assert not list(tmp_path.glob("*.zip*"))


def test_a_failed_export_leaves_the_existing_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    here = fill(store)
    (tmp_path / "a.zip").write_text("before")
    files = sorted(tmp_path.iterdir())

    def fail(number: int) -> str:
        raise OSError("No space left on device")

    monkeypatch.setattr(archive, "picture_name", fail)
    with pytest.raises(UserError, match=r"a\.zip could not be written: No space"):
        export_collection(store, here, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_text() == "before"
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.parametrize(("name", "limit"), [("MAX_FACES", 3), ("MAX_JSON_BYTES", 300)])
def test_a_collection_beyond_the_import_limits_is_not_exported(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
):
    here = fill(store)
    monkeypatch.setattr(archive, name, limit)
    with pytest.raises(UserError, match="split it"):
        export_collection(store, here, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


GOOD: dict[str, Any] = {
    "format": "anime_dcgan collection",
    "version": 1,
    "name": "group",
    "faces": [
        {"face": face(1).to_json(), "member": True, "how": None, "parents": []},
        {
            "face": face(2).to_json(),
            "member": True,
            "story": "x",
            "parents": [{"number": 1, "share": 1.0}],
        },
    ],
}
PICTURES = {"faces/00001.png": png(1), "faces/00002.png": png(2)}


def zipped(contents: Any, pictures: dict[str, bytes] = PICTURES, **more: Any) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **more) as target:
        text = contents if isinstance(contents, str | bytes) else json.dumps(contents)
        target.writestr("collection.json", text)
        for name, content in pictures.items():
            target.writestr(name, content)
    return file


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the valid contents with the value at `path` replaced, such as "faces.0.story"."""
    contents = json.loads(json.dumps(GOOD))
    *keys, last = path.split(".")
    parent = contents
    for key in keys:
        parent = parent[int(key) if key.isdigit() else key]
    parent[int(last) if last.isdigit() else last] = value
    return contents


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


FACES = st.lists(
    st.tuples(
        st.booleans(),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
        st.booleans(),
        st.sampled_from([None, "breed", "mix", "edit", "projection"]),
        st.lists(st.tuples(st.integers(0, 6), st.floats(0, 1)), max_size=3),
    ),
    max_size=7,
)


QUICK = (Phase.explicit, Phase.generate)  # shrinking an example takes minutes


@settings(max_examples=15, deadline=None, database=None, phases=QUICK)
@given(faces=FACES)
def test_export_and_import_preserve_any_collection(
    tmp_path_factory: pytest.TempPathFactory, faces: list[tuple[Any, ...]]
):
    folder = tmp_path_factory.mktemp("stores")
    with Store(folder / "here.db") as store, Store(folder / "there.db") as other:
        group = store.create_collection("group")
        for seed, (member, story, favourite, how, parents) in enumerate(faces):
            given = [(face(parent), png(parent), share) for parent, share in parents]
            saved = store.save(face(seed), png(seed), story, favourite, how, given)
            if member:
                store.add_to_collection(group.id, saved.id)
        first = exported(store, group.id, folder / "a.zip")
        imported = import_collection(other, folder / "a.zip").collection
        assert snapshot(other, imported.id) == snapshot(store, group.id)
        assert exported(other, imported.id, folder / "b.zip") == first
