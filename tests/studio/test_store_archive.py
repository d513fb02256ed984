"""Exporting and importing collections of faces."""

import io
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

MIXED = face(4, truncation=0.7, mix={"0-3": 9, "4-5": "AAAAAA"})


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
    child = store.save(MIXED, png(4), "the child\n日本", True, "breed", both)
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
    mine = other.save(MIXED, png(99), "mine", parents=[(face(7), png(7), 1.0)])
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
