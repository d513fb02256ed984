"""Saved faces, collections and direction names."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store import NameTakenError, Store, faces
from anime_dcgan.studio.store.records import DirectionName
from anime_dcgan.studio.store.validation import canonical, validate_method
from anime_dcgan.system.errors import NotFoundError, UserError
from tests.studio.store_helpers import DIGEST, encoded, face, png


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "studio.db") as store:
        yield store


def test_a_kept_face_is_found_by_face_and_by_id(store: Store):
    before = datetime.now(UTC)
    saved = store.save(face(5), png(0xFF0000), story="Who is she?", favourite=True, how="edit")
    assert saved == store.find(face(5)) == store.get(saved.id)
    assert (saved.face, saved.story, saved.favourite, saved.how) == (
        face(5),
        "Who is she?",
        True,
        "edit",
    )
    assert (saved.parents, saved.collections, saved.hidden) == ((), (), False)
    assert abs((datetime.fromisoformat(saved.created) - before).total_seconds()) < 60
    assert store.find(face(6)) is None


def test_keeping_a_face_again_updates_only_the_given_values(store: Store):
    first = store.save(face(5), png(1), story="old", favourite=True)
    again = store.save(face(5), png(2))
    assert again == first
    changed = store.save(face(5), png(2), story="new")
    assert (changed.id, changed.story, changed.favourite) == (first.id, "new", True)
    assert store.thumb(first.id) == png(1)
    assert len(store.browse().faces) == 1


@given(
    truncation=st.floats(0, 1),
    moves=st.dictionaries(st.sampled_from(["sefa.0", "sefa.1", "pca.3"]), st.floats(-10, 10)),
    run=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20),
)
def test_canonical_is_idempotent_and_survives_json(truncation: float, moves: dict, run: str):
    try:
        one = Face(run, "best", "raw", seed=1, truncation=truncation, moves=moves)
    except UserError:
        return  # not a valid run name
    assert canonical(canonical(one)) == canonical(one)
    assert canonical(one).to_query() == canonical(Face.from_json(one.to_json())).to_query()


def test_faces_that_differ_by_rounding_are_kept_once(store: Store):
    one = face(5, truncation=0.9999999999999999, moves={"sefa.0": 0.1 + 0.2})
    saved = store.save(one, png())
    assert store.save(saved.face, png()).id == store.save(one, png()).id == saved.id
    assert store.find(one) == store.find(saved.face) == saved


def test_change_updates_only_the_given_values(store: Store):
    saved = store.save(face(5), png(), story="one")
    assert store.change(saved.id, favourite=True).story == "one"
    assert store.change(saved.id, story="").favourite
    assert store.get(saved.id).story == ""
    assert store.change(saved.id) == store.get(saved.id)


def test_a_removed_face_is_gone_and_its_id_is_not_reused(store: Store):
    saved = store.save(face(5), png())
    store.remove(saved.id)
    assert store.find(face(5)) is None
    for method in (store.get, store.thumb, store.remove, store.change, store.family):
        with pytest.raises(NotFoundError, match=f"no saved face {saved.id}"):
            method(saved.id)
    assert store.save(face(6), png()).id > saved.id


@pytest.mark.parametrize("id", [0, -1, 7, 2**63, 10**400 % 10**60])
def test_unknown_ids_raise_not_found(store: Store, id: int):
    saved = store.save(face(5), png())
    for ask in (store.get, store.thumb, store.remove, store.change, store.family):
        with pytest.raises(NotFoundError):
            ask(id)
    for ask in (store.collection, store.delete_collection, lambda id: store.browse(collection=id)):
        with pytest.raises(NotFoundError, match="collection"):
            ask(id)
    for ask in (store.add_to_collection, store.remove_from_collection):
        with pytest.raises(NotFoundError):
            ask(id, saved.id)
    with pytest.raises(NotFoundError):
        store.rename_collection(id, "name")


SEARCH_TERMS = ["", "a", "Ü", "ü", "%", "_", "run", "SWEEP/x", "\\", "'"]


@settings(max_examples=25, deadline=None, database=None)
@given(
    entries=st.lists(st.tuples(st.sampled_from(SEARCH_TERMS), st.booleans()), max_size=8),
    favourite=st.none() | st.booleans(),
    text=st.sampled_from(SEARCH_TERMS),
    limit=st.integers(1, 4),
)
def test_pages_concatenate_to_all_matches(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, bool]],
    favourite: bool | None,
    text: str,
    limit: int,
):
    with Store(tmp_path_factory.mktemp("store") / "studio.db") as store:
        everyone = [
            store.save(face(number, "sweep/x" if number % 2 else "y"), png(), story, mark)
            for number, (story, mark) in enumerate(entries)
        ]
        expected = [
            one
            for one in reversed(everyone)
            if text.lower() in f"{one.story}\n{one.face.run}".lower()
            and favourite in (None, one.favourite)
        ]
        found, page = [], store.browse(favourite, None, text, limit)
        while page.has_more:
            assert len(page.faces) == limit
            found += page.faces
            page = store.browse(favourite, None, text, limit, before=found[-1].id)
        assert found + list(page.faces) == expected


def test_search_ignores_case_and_unicode_form(store: Store):
    store.save(face(1), png(), story="Die Größe von u\u0308ber")
    assert store.browse(text="GRÖSSE").faces
    assert store.browse(text="Über").faces
    assert not store.browse(text="uber").faces


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_the_page_size_is_limited(store: Store, limit: int):
    with pytest.raises(UserError, match="1 to 1000"):
        store.browse(limit=limit)


@pytest.mark.parametrize("story", ["x" * 20_001, "\ud800", "a\0b"])
def test_invalid_stories_are_rejected(store: Store, story: str):
    saved = store.save(face(1), png(), story="good")
    for write in (lambda: store.change(saved.id, story), lambda: store.save(face(2), png(), story)):
        with pytest.raises(UserError) as caught:
            write()
        assert "\n" not in str(caught.value)
    assert [one.story for one in store.browse().faces] == ["good"]


def test_a_story_of_maximum_length_is_stored_unchanged(store: Store):
    story = "日本語\n\t🙂\r\n'\"" * 2000
    saved = store.save(face(1), png(), story=story[:20_000])
    assert store.get(saved.id).story == story[:20_000]


def test_only_known_methods_are_accepted():
    assert validate_method(None) is None and validate_method("mix") == "mix"
    for how in ("magic", "", 3, ["mix"]):
        with pytest.raises(UserError, match="how="):
            validate_method(how)


@pytest.mark.parametrize(
    ("thumb", "match"),
    [
        (b"", "must be a PNG"),
        (b"\xff\xd8\xff" * 20, "must be a PNG"),
        (encoded(Image.new("RGB", (8, 8)), "GIF"), "must be a PNG"),
        (png()[:-30], "damaged"),
        (png()[:40] + b"\0" * 40, "damaged"),
        (png(size=(513, 8)), "512 pixels"),
        (png(size=(8, 513)), "512 pixels"),
        (png()[:16] + b"\0\1\0\0" * 2 + png()[24:], "512 pixels"),
        (png() + b"\0" * 2**20, "1 MiB"),
    ],
)
def test_invalid_thumbnails_are_rejected(store: Store, thumb: bytes, match: str):
    with pytest.raises(UserError, match=match):
        store.save(face(1), thumb)
    assert not store.browse().faces


def test_thumbnails_keep_their_pixels_and_lose_their_metadata(store: Store):
    from PIL.PngImagePlugin import PngInfo

    secret = PngInfo()
    secret.add_text("Author", "someone")
    picture = Image.radial_gradient("L").resize((64, 64)).convert("RGB")
    saved = store.save(face(1), encoded(picture, pnginfo=secret) + b"behind the end")
    with Image.open(io.BytesIO(store.thumb(saved.id))) as stored:
        assert stored.tobytes() == picture.tobytes()
        assert not stored.info
    assert b"someone" not in store.thumb(saved.id) and b"behind" not in store.thumb(saved.id)


def test_collections_can_be_created_filled_renamed_and_deleted(store: Store):
    one, two = (store.save(face(seed), png()) for seed in (1, 2))
    blue = store.create_collection("  blue \n hair ")
    apart = store.create_collection("Apart")
    store.add_to_collection(blue.id, one.id)
    store.add_to_collection(blue.id, one.id)
    store.add_to_collection(blue.id, two.id)
    assert [(one.name, one.count) for one in store.collections()] == [
        ("Apart", 0),
        ("blue hair", 2),
    ]
    assert store.get(one.id).collections == (blue.id,)
    store.remove_from_collection(blue.id, one.id)
    store.remove_from_collection(blue.id, one.id)
    assert [saved.id for saved in store.browse(collection=blue.id).faces] == [two.id]
    assert store.rename_collection(blue.id, "green").name == "green"
    assert store.rename_collection(blue.id, "green").id == blue.id
    with pytest.raises(NameTakenError, match="'Apart'"):
        store.rename_collection(blue.id, "Apart")
    with pytest.raises(NameTakenError):
        store.create_collection("Apart ")
    store.delete_collection(blue.id)
    assert store.collections() == [apart]
    assert store.get(two.id).collections == ()


def test_a_removed_face_leaves_its_collections(store: Store):
    saved = store.save(face(1), png())
    group = store.create_collection("group")
    store.add_to_collection(group.id, saved.id)
    store.remove(saved.id)
    assert store.collection(group.id).count == 0
    with pytest.raises(NotFoundError):
        store.add_to_collection(group.id, saved.id)


@pytest.mark.parametrize("name", ["", "   ", "\n", "x" * 201, "\udfff"])
def test_invalid_names_are_rejected(store: Store, name: str):
    group = store.create_collection("x" * 200)
    for write in (
        lambda: store.create_collection(name),
        lambda: store.rename_collection(group.id, name),
        lambda: store.name_direction(DIGEST, "a", direction_name(name or " ")),
    ):
        with pytest.raises(UserError):
            write()
    assert store.collections() == [group]


def direction_name(text: str, id: str = "sefa.0") -> DirectionName:
    return DirectionName(id, text, b"\0\0\x80?")


def test_direction_names_belong_to_one_generator_and_its_run(store: Store):
    def names(digest: str) -> list[tuple[str, str]]:
        return [(one.direction, one.text) for one in store.direction_names(digest)]

    other = "f" * 20
    store.name_direction(DIGEST, "a", direction_name("smile"))
    store.name_direction(DIGEST, "a", direction_name("smiles"))
    store.name_direction(other, "b", direction_name("age"))
    assert names(DIGEST) == [("sefa.0", "smiles")]
    assert store.direction_names(DIGEST) == [direction_name("smiles")]
    assert [one.text for one in store.direction_names_of({"a", "b"}, DIGEST)] == ["age"]
    assert store.direction_names_of({"a"}, DIGEST) == []
    store.name_direction(DIGEST, "a", direction_name(""))  # no name, not even an inherited one
    assert names(DIGEST) == [("sefa.0", "")]
    with pytest.raises(UserError, match="20 hexadecimal"):
        store.name_direction("../run", "a", direction_name("smile"))
    with pytest.raises(UserError, match="not a direction"):
        store.name_direction(DIGEST, "a", direction_name("smile", "up"))


def test_a_face_is_the_same_whatever_its_run_and_epoch_are_called(store: Store):
    saved = store.save(face(1), png(1), "hers")
    elsewhere = replace(face(1), run="renamed", epoch="best")
    assert store.find(elsewhere) == store.save(elsewhere, png(2)) == saved
    assert store.find(face(1, digest="f" * 20)) is None


def test_forgotten_faces_are_restored_with_all_they_have(store: Store):
    group = store.create_collection("group")
    parent = store.save(face(1), png(1), "the mother", True, name="Mio")
    child = store.save(face(2), png(2), parents=[(face(1), png(1), 1.0)])
    for one in (parent, child):
        store.add_to_collection(group.id, one.id)
    before = store.browse().faces
    assert store.forget([parent.id, child.id, 99]) == 2
    assert store.browse().faces == () and store.collection(group.id).count == 0
    assert store.family(child.id).nodes[0].story == ""  # its texts are out of sight
    assert store.restore([parent.id, child.id]) == 2
    assert store.browse().faces == before and store.collection(group.id).count == 2


def test_faces_forgotten_long_ago_are_removed(store: Store, monkeypatch: pytest.MonkeyPatch):
    saved = store.save(face(1), png(1), "a secret")
    store.forget([saved.id])
    monkeypatch.setattr(faces, "RESTORABLE", timedelta(0))
    time.sleep(0.01)
    store.save(face(2), png(2))
    assert store.restore([saved.id]) == 0 and store.picture(face(1)) is None
    assert store.save(face(1), png(1)).story == ""


def test_concurrent_threads_lose_no_writes(store: Store):
    group = store.create_collection("all")

    def work(worker: int) -> None:
        for step in range(6):
            shared = store.save(face(step), png())  # shared by all workers
            own = store.save(
                face(1000 + 10 * worker + step), png(), parents=[(face(step), png(), 1.0)]
            )
            store.add_to_collection(group.id, own.id)
            assert store.get(own.id).parents[0].id == shared.id

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert store.collection(group.id).count == 48
    assert len(store.browse().faces) == 48 + 6
