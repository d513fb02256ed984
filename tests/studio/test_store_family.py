"""Family trees, and how they change when faces are removed."""

import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_dcgan.studio.store import Edge, Parent, SavedFace, Store
from anime_dcgan.studio.store import family as family_module
from anime_dcgan.system.errors import NotFoundError, UserError
from tests.studio.store_helpers import face, png, query


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "studio.db") as store:
        yield store


def save(store: Store, seed: int, *parents: int) -> SavedFace:
    """Save the face of a seed as the child of other seeds with equal shares."""
    given = [(face(parent), png(parent), 1 / len(parents)) for parent in parents]
    return store.save(face(seed), png(seed), how="breed" if given else None, parents=given)


def seeds(store: Store, id: int) -> set[int | None]:
    return {node.face.seed for node in store.family(id).nodes}


def test_parents_are_kept_but_are_not_favourites(store: Store):
    child = store.save(
        face(3), png(3), favourite=True, parents=[(face(2), png(2), 0.3), (face(1), png(1), 0.7)]
    )
    second, first = store.find(face(2)), store.find(face(1))
    assert first and second and not first.favourite and not second.favourite
    assert child.parents == (Parent(second.id, 0.3), Parent(first.id, 0.7))
    assert store.thumb(first.id) == png(1)
    assert child.id > first.id  # newer, so lists show it first


def test_a_family_contains_ancestors_and_descendants(store: Store):
    for seed, *parents in [(3, 1, 2), (4, 3), (5, 3, 9), (6, 4, 5), (7, 9)]:
        last = save(store, seed, *parents)
    middle = store.find(face(3))
    assert middle and last
    assert seeds(store, middle.id) == {1, 2, 3, 4, 5, 6}  # neither 9, a co-parent, nor 7
    family = store.family(middle.id)
    known = {node.face.seed: node.id for node in family.nodes}
    assert family.is_complete and [node.id for node in family.nodes] == sorted(known.values())
    lines = {(3, 1, 0.5), (3, 2, 0.5), (4, 3, 1.0), (5, 3, 0.5), (6, 4, 0.5), (6, 5, 0.5)}
    assert set(family.edges) == {Edge(known[c], known[p], share, "breed") for c, p, share in lines}


def test_a_face_cannot_descend_from_itself(store: Store):
    save(store, 2, 1)
    save(store, 3, 2)
    first = save(store, 1, 3)  # all given parents are its descendants
    assert (first.parents, first.how) == ((), None)
    both = save(store, 2, 3, 4, 2)  # the only allowed parent is used
    assert [store.get(parent.id).face.seed for parent in both.parents] == [4]
    assert seeds(store, first.id) == {1}
    assert seeds(store, both.id) == {2, 3, 4}


def test_parents_are_replaced_only_if_given(store: Store):
    save(store, 3, 1)
    assert len(store.save(face(3), png(), story="x").parents) == 1
    assert seeds(store, save(store, 3, 2).id) == {2, 3}
    assert store.save(face(3), png(), parents=[]).parents == ()


def test_shares_of_a_repeated_parent_are_added(store: Store):
    child = store.save(face(2), png(), parents=[(face(1), png(), 0.4), (face(1), png(), 0.5)])
    assert [parent.share for parent in child.parents] == pytest.approx([0.9])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf"), True])
def test_invalid_shares_are_rejected(store: Store, share: float):
    with pytest.raises(UserError, match="share="):
        store.save(face(2), png(), parents=[(face(1), png(), share)])
    assert not store.browse().faces


def test_too_many_parents_are_rejected(store: Store):
    with pytest.raises(UserError, match="8 parents; this one has 9"):
        save(store, 0, *range(1, 10))


def test_an_invalid_picture_of_a_parent_keeps_nothing(store: Store):
    with pytest.raises(UserError, match="must be a PNG"):
        store.save(face(2), png(), parents=[(face(1), b"", 1.0)])
    assert not store.browse().faces


def test_a_removed_ancestor_stays_hidden_while_it_has_descendants(store: Store):
    child = save(store, 3, 2)
    middle = store.save(face(2), png(), "secret", True, parents=[(face(1), png(1), 1.0)])
    store.remove(middle.id)
    assert store.find(face(2)) is None
    assert [one.face.seed for one in store.browse().faces] == [1, 3]
    with pytest.raises(NotFoundError):
        store.get(middle.id)
    with pytest.raises(NotFoundError):
        store.change(middle.id, story="x")
    hidden = next(node for node in store.family(child.id).nodes if node.id == middle.id)
    assert (hidden.hidden, hidden.story, hidden.favourite) == (True, "", False)
    assert seeds(store, child.id) == seeds(store, middle.id) == {1, 2, 3}
    assert store.thumb(middle.id) == png(2)


def test_hidden_ancestors_are_deleted_with_the_last_descendant(store: Store):
    save(store, 2, 1)
    last = save(store, 3, 2)
    for seed in (1, 2):
        found = store.find(face(seed))
        assert found
        store.remove(found.id)
    assert seeds(store, last.id) == {1, 2, 3}
    store.remove(last.id)
    path = store.database.path
    for table in ("saved", "thumbs", "parents"):
        assert query(path, f"SELECT * FROM {table}") == []


def test_a_hidden_ancestor_reappears_only_if_it_is_kept_itself(store: Store):
    first = save(store, 1)
    save(store, 2, 1)
    store.remove(first.id)
    save(store, 3, 1)
    assert store.find(face(1)) is None
    assert store.save(face(1), png(9)).id == first.id
    assert store.thumb(first.id) == png(1)


def test_a_replaced_hidden_parent_is_deleted(store: Store):
    first = save(store, 1)
    save(store, 2, 1)
    store.remove(first.id)
    save(store, 2, 3)
    with pytest.raises(NotFoundError):
        store.thumb(first.id)


def test_a_large_family_is_cut_to_the_nearest_relatives(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(family_module, "MAX_RELATIVES", 3)
    for seed in range(9):
        save(store, seed + 1, seed)
    middle = store.find(face(5))
    assert middle
    near = store.family(middle.id)
    assert not near.is_complete
    assert {3, 4, 5, 6, 7} <= {node.face.seed for node in near.nodes} < set(range(10))


def test_a_cycle_written_by_another_program_is_tolerated(store: Store):
    two = save(store, 2, 1)
    (one,) = (parent.id for parent in two.parents)
    with store.database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO parents VALUES ({one}, {two.id}, 0, 1.0)")
    assert seeds(store, one) == {1, 2}
    store.remove(one)
    store.remove(two.id)
    assert not store.browse().faces


STEPS = st.one_of(
    st.tuples(st.just("save"), st.integers(0, 7), st.lists(st.integers(0, 7), max_size=3)),
    st.tuples(st.just("remove"), st.integers(0, 7), st.just([])),
)


@settings(max_examples=40, deadline=None, database=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_random_operations_keep_families_consistent(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, list[int]]]
):
    visible: set[int] = set()
    with Store(tmp_path_factory.mktemp("store") / "studio.db") as store:
        for action, seed, parents in steps:
            found = store.find(face(seed))
            assert (found is not None) == (seed in visible)
            if action == "save":
                removed = {
                    int(text.rpartition("seed=")[2])
                    for (text,) in query(store.database.path, "SELECT face FROM saved WHERE hidden")
                }
                save(store, seed, *parents)
                visible |= {seed} | (set(parents) - removed)
            elif found:
                store.remove(found.id)
                visible.discard(seed)
        path = store.database.path
        check_soundness(path)
        assert {one.face.seed for one in store.browse().faces} == visible


def check_soundness(path: Path) -> None:
    edges = query(path, "SELECT child, parent FROM parents")
    graph: dict[int, set[int]] = {}
    for child, parent in edges:
        graph.setdefault(child, set()).add(parent)
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError on a cycle
    shown = {id for (id,) in query(path, "SELECT id FROM saved WHERE NOT hidden")}
    needed = set(shown)
    for id in reversed(order):  # children before their parents
        if id in needed:
            needed |= graph.get(id, set())
    assert {id for (id,) in query(path, "SELECT id FROM saved")} == needed
    assert query(path, "PRAGMA foreign_key_check") == []
