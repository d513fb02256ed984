"""A collection goes from one studio to another, and a hostile archive goes nowhere."""

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
    Kept,
    Store,
    archive,
    export_collection,
    import_collection,
)
from anime_dcgan.system.errors import NotFoundError, UserError
from tests.studio.store_things import face, png, query


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "here.db") as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "there.db") as store:
        yield store


def fill(store: Store) -> int:
    """The id of a collection: a child, its parent that is in it, a grandparent that is not."""
    group = store.create_collection("Blue, 青")
    store.keep(face(2, moves={"sefa.0": 1.5}), png(2), how="projection", parents=[])
    old = (face(1), png(1), 0.75)
    parent = store.keep(face(3), png(3), "the mother", False, "edit", parents=[old])
    both = [(face(3), png(3), 0.25), (face(2, moves={"sefa.0": 1.5}), png(2), 0.5)]
    child = store.keep(face(4, truncation=0.7), png(4), "the child\n日本", True, "breed", both)
    outside = store.find(face(1))
    assert outside
    store.change(outside.id, story="a secret", favourite=True)
    for one in (parent, child):
        store.add_to_collection(group.id, one.id)
    return group.id


def exported(store: Store, id: int, path: Path) -> bytes:
    export_collection(store, id, path)
    return path.read_bytes()


def told(store: Store, collection: int) -> list[tuple[Any, ...]]:
    """A collection without ids and hours."""
    return [
        (*(one.face, one.story, one.favourite, one.how, store.thumb(one.id)), lineage(store, one))
        for one in store.browse(collection=collection).kept
    ]


def lineage(store: Store, one: Kept) -> list[tuple[Any, ...]]:
    """All lines upwards, in their order, with the pictures and what made them."""
    nodes = {node.id: node for node in store.family(one.id).nodes}
    lines, waiting = [], [one]
    while waiting:
        child = waiting.pop()
        for parent in child.parents:
            above = nodes[parent.id]
            lines.append((child.face, above.face, parent.share, above.how, store.thumb(parent.id)))
            waiting.append(above)
    return lines


def test_there_and_back_it_is_the_same(store: Store, other: Store, tmp_path: Path):
    here = fill(store)
    first = exported(store, here, tmp_path / "a.zip")
    result = import_collection(other, tmp_path / "a.zip")
    assert (result.added, result.known, result.collection.count) == (2, 0, 2)
    assert result.collection.name == "Blue, 青"
    assert told(other, result.collection.id) == told(store, here)
    assert exported(other, result.collection.id, tmp_path / "b.zip") == first
    # The grandparents are in the tree, and in no list.
    assert len(other.browse().kept) == 2
    child = other.browse().kept[0]
    assert [node.hidden for node in other.family(child.id).nodes].count(True) == 2


def test_what_is_outside_of_the_collection_keeps_its_story(store: Store, tmp_path: Path):
    content = exported(store, fill(store), tmp_path / "a.zip")
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        assert "a secret" not in source.read("collection.json").decode()
        assert sorted(source.namelist())[1:] == [f"faces/{n:05}.png" for n in (1, 2, 3, 4)]


def test_the_same_again_adds_no_face(store: Store, tmp_path: Path):
    here = fill(store)
    exported(store, here, tmp_path / "a.zip")
    before = store.browse().kept
    results = [import_collection(store, tmp_path / "a.zip") for _ in range(2)]
    assert [(one.added, one.known) for one in results] == [(0, 2), (0, 2)]
    assert [one.collection.name for one in results] == ["Blue, 青 (2)", "Blue, 青 (3)"]
    assert [one.face for one in store.browse().kept] == [one.face for one in before]
    assert told(store, results[1].collection.id) == told(store, here)


def test_a_name_of_full_length_that_is_taken(store: Store, tmp_path: Path):
    group = store.create_collection("x" * 200)
    exported(store, group.id, tmp_path / "a.zip")
    assert import_collection(store, tmp_path / "a.zip").collection.name == "x" * 196 + " (2)"


def test_what_is_ours_stays_and_what_is_wanting_is_taken(
    store: Store, other: Store, tmp_path: Path
):
    exported(store, fill(store), tmp_path / "a.zip")
    mine = other.keep(face(4, truncation=0.7), png(99), "mine", parents=[(face(7), png(7), 1.0)])
    empty = other.keep(face(3), png(98))
    hidden = other.keep(face(1), png(97))
    result = import_collection(other, tmp_path / "a.zip")
    assert (result.added, result.known) == (0, 2)
    after = other.get(mine.id)
    assert (after.story, after.favourite, after.parents) == ("mine", False, mine.parents)
    assert other.thumb(mine.id) == png(99)
    after = other.get(empty.id)
    assert (after.story, after.favourite, after.how) == ("the mother", False, "edit")
    assert [parent.id for parent in after.parents] == [hidden.id]
    assert other.get(hidden.id).story == ""
    # The other parent of face 4 would be nobody's ancestor here.
    assert query(other.database.path, "SELECT count(*) FROM kept") == [(4,)]


def test_who_was_removed_here_comes_back_as_new(store: Store, other: Store, tmp_path: Path):
    exported(store, fill(store), tmp_path / "a.zip")
    other.keep(face(9), png(9), parents=[(face(3), png(3), 1.0)])
    removed = other.find(face(3))
    assert removed
    other.remove(removed.id)
    result = import_collection(other, tmp_path / "a.zip")
    assert (result.added, result.known) == (2, 0)
    assert other.get(removed.id).story == "the mother"


def test_families_that_contradict_make_no_cycle(store: Store, other: Store, tmp_path: Path):
    exported(store, fill(store), tmp_path / "a.zip")
    other.keep(face(1), png(1), parents=[(face(3), png(3), 1.0)])  # there it is the other way
    import_collection(other, tmp_path / "a.zip")
    mother = other.find(face(3))
    assert mother and mother.parents == ()


def test_an_empty_collection(store: Store, other: Store, tmp_path: Path):
    exported(store, store.create_collection("nothing").id, tmp_path / "a.zip")
    with (tmp_path / "a.zip").open("rb") as file:
        result = import_collection(other, file)
    assert (result.collection.name, result.added, result.known) == ("nothing", 0, 0)


def test_a_collection_that_is_not_there(store: Store, tmp_path: Path):
    with pytest.raises(NotFoundError):
        export_collection(store, 5, tmp_path / "a.zip")
    assert not list(tmp_path.glob("*.zip*"))


def test_an_export_that_fails_leaves_what_was_there(
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


@pytest.mark.parametrize(("name", "limit"), [("MOST_FACES", 3), ("LARGEST_JSON", 300)])
def test_what_would_not_be_read_back_is_not_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
):
    here = fill(store)
    monkeypatch.setattr(archive, name, limit)
    with pytest.raises(UserError, match="divide it"):
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
    """The good contents with another value at "faces.0.story"."""
    contents = json.loads(json.dumps(GOOD))
    *way, last = path.split(".")
    place = contents
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    place[int(last) if last.isdigit() else last] = value
    return contents


def refused(store: Store, file: io.BytesIO, match: str | None = None) -> None:
    with pytest.raises(UserError, match=match) as caught:
        import_collection(store, file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert store.collections() == []
    assert query(store.database.path, "SELECT * FROM kept") == []


def test_the_good_one_is_taken(store: Store):
    assert import_collection(store, zipped(GOOD)).added == 2


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("format", "zip", "no collection of the studio"),
        ("version", 2, "version 2"),
        ("version", None, "version None"),
        ("version", "9" * 999, "version 9"),
        ("name", "", "1 to 200"),
        ("name", ["x"], "name .* another kind"),
        ("name", "x" * 201, "1 to 200"),
        ("name", "\ud800", "half of a character"),
        ("faces", {}, "faces .* another kind"),
        ("faces.0", None, "face 1 .* another kind"),
        ("faces.0.face", None, "face 1 .*object of"),
        ("faces.0.face.run", "../../etc", "face 1 .*below the folder"),
        ("faces.0.face.latent", "AAAA", "face 1 .*either a seed or a latent"),
        ("faces.0.face.moves", {"up": 1}, "face 1 .*direction"),
        ("faces.0.face", face(2).to_json(), "same face twice"),
        ("faces.0.member", 1, "another kind"),
        ("faces.0.story", None, "another kind"),
        ("faces.0.story", "x" * 20_001, "20000"),
        ("faces.0.favourite", "yes", "another kind"),
        ("faces.0.how", {"a": 1}, "how="),
        ("faces.0.parents", [{"number": 2, "share": 1}], "descends from itself"),
        ("faces.1.parents", [{"number": 2, "share": 1}], "descends from itself"),
        ("faces.1.parents", [{"number": 3, "share": 1}], "is not in it"),
        ("faces.1.parents", [{"number": 0, "share": 1}], "is not in it"),
        ("faces.1.parents", [{"number": True, "share": 1}], "another kind"),
        ("faces.1.parents", [{"number": 1, "share": 1e999}], "Infinity"),
        ("faces.1.parents", [{"number": 1}], "share="),
        ("faces.1.parents", [{"number": 1, "share": 0.1}] * 9, "8 parents"),
    ],
)
def test_contents_that_cannot_be(store: Store, path: str, value: Any, match: str):
    refused(store, zipped(changed(path, value)), match)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "null", "1", '"x"', "{", "[" * 200_000, '{"a":' * 200_000, b"\xff\xfe\x00"),
        json.dumps(GOOD).replace("1.0", "9" * 10_000),
        json.dumps(GOOD).replace("1.0", "NaN"),
    ],
)
def test_what_is_no_json_of_ours(store: Store, text: str | bytes):
    refused(store, zipped(text))


@pytest.mark.parametrize(
    ("pictures", "match"),
    [
        ({}, "faces/00001.png is not in it"),
        ({**PICTURES, "faces/00002.png": b"GIF89a"}, "face 2 .*no PNG"),
        ({**PICTURES, "faces/00002.png": png(size=(600, 600))}, "face 2 .*512 pixels"),
        ({**PICTURES, "faces/00002.png": b"\0" * (2**20 + 1)}, "faces/00002.png .* too large"),
    ],
)
def test_pictures_that_cannot_be(store: Store, pictures: dict[str, bytes], match: str):
    refused(store, zipped(GOOD, pictures), match)


def test_no_name_of_an_archive_is_written(store: Store, tmp_path: Path):
    before = set(tmp_path.rglob("*"))
    evil = {"../evil.png": png(), "/tmp/evil-of-the-studio.png": png(), "faces/../../x": b"x"}
    import_collection(store, zipped(GOOD, PICTURES | evil))
    assert not Path("/tmp/evil-of-the-studio.png").exists()
    assert {path for path in tmp_path.rglob("*") if "here.db" not in path.name} <= before


def test_a_bomb_is_not_unpacked(store: Store):
    zeros = b"0" * (archive.LARGEST_JSON + 1)
    refused(store, zipped(zeros, compression=zipfile.ZIP_DEFLATED), "too large")
    bombs = {f"{number}": bytes(2**24) for number in range(17)}
    file = zipped(GOOD, PICTURES | bombs, compression=zipfile.ZIP_DEFLATED)
    assert len(file.getvalue()) < 2**20
    refused(store, file, "unpacks to more than 256 MiB")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_all_at_once_are_refused(store: Store, method: int):
    refused(store, zipped(GOOD, compression=method), "unusual way")


def lie(
    offset_in_entry: int, value: bytes, data: bytearray, signature: bytes = b"PK\x01\x02"
) -> io.BytesIO:
    """Overwrite a field of the first entry of the directory."""
    place = data.index(signature) + offset_in_entry
    data[place : place + len(value)] = value
    return io.BytesIO(bytes(data))


def test_an_entry_that_lies_about_its_size(store: Store):
    good = bytearray(zipped(GOOD).getvalue())
    refused(store, lie(24, (9).to_bytes(4, "little"), bytearray(good)))  # less than there is
    refused(store, lie(24, (2**24).to_bytes(4, "little"), bytearray(good)))
    refused(store, lie(8, b"\x01\x00", bytearray(good)), "unusual way")  # said to be encrypted


def test_a_directory_that_is_too_large_is_not_read(store: Store, monkeypatch: pytest.MonkeyPatch):
    many = zipped(GOOD, PICTURES | {str(number): b"" for number in range(200)})
    monkeypatch.setattr(archive, "MOST_FACES", 50)

    def fail(*_: object) -> None:
        raise AssertionError("the directory was read")

    monkeypatch.setattr(zipfile, "ZipFile", fail)
    refused(store, many, "more than 50 faces")


def test_a_name_twice(store: Store):
    with pytest.warns(UserWarning, match="Duplicate"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as target:
            target.writestr("collection.json", json.dumps(GOOD))
            target.writestr("collection.json", "{}")
    refused(store, file, "names a file twice")


def test_a_file_that_is_too_large(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "LARGEST_FILE", 500)
    refused(store, zipped(GOOD), "larger than")


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 5000, b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_of_ours(store: Store, content: bytes):
    refused(store, io.BytesIO(content))


def test_a_path_that_is_not_there(store: Store, tmp_path: Path):
    with pytest.raises(UserError, match="no collection"):
        import_collection(store, tmp_path / "nothing.zip")


def test_a_failure_in_the_middle_takes_nothing_in(store: Store, monkeypatch: pytest.MonkeyPatch):
    from anime_dcgan.studio.store import exchange

    def fail(*_: object, **__: object) -> bool:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(exchange, "_take_member", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        import_collection(store, zipped(GOOD))
    assert store.collections() == []
    assert query(store.database.path, "SELECT * FROM kept") == []


@settings(max_examples=150, deadline=None, database=None)
@given(data=st.data())
def test_whatever_is_changed_it_is_taken_or_refused_in_a_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    content = bytearray(zipped(GOOD, compression=zipfile.ZIP_DEFLATED).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(content)))
    with Store(shared_path(tmp_path_factory)) as store:
        try:
            import_collection(store, io.BytesIO(bytes(content[:cut])))
        except UserError as error:
            assert "\n" not in str(error)


def shared_path(factory: pytest.TempPathFactory) -> Path:
    """One file for all examples: to make one takes longer than to read an archive."""
    return factory.getbasetemp() / "mutated.db"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PLACES = [
    *("format", "version", "name", "faces", "faces.0", "faces.0.face", "faces.0.face.seed"),
    *("faces.0.face.moves", "faces.0.face.truncation", "faces.0.member", "faces.0.story"),
    *("faces.0.how", "faces.1.parents", "faces.1.parents.0", "faces.1.parents.0.number"),
    *("faces.1.parents.0.share", "faces.1.favourite", "faces.0.face.latent"),
]


@settings(max_examples=150, deadline=None, database=None)
@given(path=st.sampled_from(PLACES), value=VALUES)
def test_whatever_the_contents_say_they_are_taken_or_refused_in_a_line(
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


QUICK = (Phase.explicit, Phase.generate)  # to shrink an example takes minutes


@settings(max_examples=15, deadline=None, database=None, phases=QUICK)
@given(faces=FACES)
def test_there_and_back_any_collection_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, faces: list[tuple[Any, ...]]
):
    folder = tmp_path_factory.mktemp("stores")
    with Store(folder / "here.db") as store, Store(folder / "there.db") as other:
        group = store.create_collection("group")
        for seed, (member, story, favourite, how, parents) in enumerate(faces):
            given = [(face(parent), png(parent), share) for parent, share in parents]
            kept = store.keep(face(seed), png(seed), story, favourite, how, given)
            if member:
                store.add_to_collection(group.id, kept.id)
        first = exported(store, group.id, folder / "a.zip")
        arrived = import_collection(other, folder / "a.zip").collection
        assert told(other, arrived.id) == told(store, group.id)
        assert exported(other, arrived.id, folder / "b.zip") == first
