"""Real faces are described once, and other sets of faces are compared with them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.data.faces import Faces, distinct_rows, open_faces
from anime_dcgan.metric import evaluator
from anime_dcgan.metric.evaluator import Evaluator
from anime_dcgan.metric.sliced import SlicedWasserstein
from anime_dcgan.system.errors import UserError


@pytest.fixture(scope="module")
def drawn(cache_dir) -> Faces:
    return open_faces(DrawnFaces(400), 16, 0.2, 0, cache_dir)


@pytest.fixture
def faces(drawn: Faces, tmp_path: Path) -> Faces:
    """Return the faces in an empty folder, so that no description is cached."""
    return replace(drawn, folder=tmp_path)


def test_other_real_faces_define_the_floor(faces: Faces):
    found = Evaluator(SlicedWasserstein(), faces, count=80)
    others = faces.images[found._floor_rows]
    assert found.measure(others) == found.references.floor
    assert found.references.floor["coverage"] > 0.8
    assert found.references.floor["diversity"] == pytest.approx(1, abs=0.1)


def test_worse_faces_have_worse_values(faces: Faces):
    found = Evaluator(SlicedWasserstein(), faces, count=80)
    others = faces.images[found._floor_rows]
    noise = np.random.default_rng(0).integers(0, 256, others.shape).astype(np.uint8)
    one_face = np.repeat(others[:1], 80, axis=0)
    floor, noisy, same = found.references.floor, found.measure(noise), found.measure(one_face)
    assert noisy["swd/mean"] > 2 * floor["swd/mean"]
    assert noisy["coverage"] < 0.1
    assert same["recall"] < 0.1
    assert same["diversity"] < 0.01
    assert same["swd/mean"] > 2 * floor["swd/mean"]


def test_training_faces_are_found_memorised_and_shown(faces: Faces):
    found = Evaluator(SlicedWasserstein(), faces, count=60)
    copies = faces.images[found.training_rows[:60]]
    assert found.measure(copies)["memorised"] == 1
    assert found.references.floor["memorised"] < 0.8
    sheet = found.neighbour_sheet(copies, count=4, columns=2)
    assert sheet.size == (3 * 18 + 2, 4 * 18 + 2)
    first, nearest = (np.asarray(sheet)[2:18, 2 + 18 * i : 18 + 18 * i] for i in (0, 1))
    assert np.array_equal(first, nearest)


def test_the_training_faces_that_are_searched_are_a_random_part_of_them(faces: Faces):
    """A folder may be ordered by looks; the first faces of it would not be representative."""
    found = Evaluator(SlicedWasserstein(), faces, count=30, reference="holdout", training=100)
    assert len(found.training_rows) == 100
    expected = np.median(faces.train_rows)
    assert np.median(found.training_rows) == pytest.approx(expected, rel=0.2)


def test_fewer_training_faces_do_not_reduce_the_number_of_faces_compared(faces: Faces):
    found = Evaluator(SlicedWasserstein(), faces, count=80, training=10)
    assert found.count == 80
    assert len(found.training_rows) == 10


def test_hold_out_faces_are_never_training_faces(faces: Faces):
    found = Evaluator(SlicedWasserstein(), faces, count=30, reference="holdout")
    assert set(found._real_rows) | set(found._floor_rows) <= set(faces.holdout_rows)
    assert set(found.training_rows) <= set(faces.train_rows)
    assert found.settings["reference"] == "holdout"


def test_no_face_is_compared_with_itself(faces: Faces):
    found = Evaluator(SlicedWasserstein(), faces, count=100, training=10_000)
    floor = set(found._floor_rows)
    assert not floor & set(found._real_rows)
    assert not floor & set(found.training_rows)


def test_copies_in_the_data_are_used_once(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3)).astype(np.uint8)
    rows = distinct_rows(np.concatenate([images, images, images]), np.arange(90), 80, seed=0)
    assert sorted(rows % 30) == list(range(30))
    assert len(distinct_rows(images, np.arange(30), 7, seed=0)) == 7


def test_real_faces_are_described_once(faces: Faces, monkeypatch):
    first = Evaluator(SlicedWasserstein(), faces, count=50)
    monkeypatch.setattr(SlicedWasserstein, "describe", None)  # would raise
    second = Evaluator(SlicedWasserstein(), faces, count=50)
    assert second.references.floor == first.references.floor
    assert torch.equal(second.references.training, first.references.training)
    monkeypatch.undo()
    monkeypatch.setattr(SlicedWasserstein, "describe", None)
    with pytest.raises(TypeError):
        Evaluator(SlicedWasserstein(), faces, count=40)  # different faces need a new description


def test_a_damaged_or_unwritable_description_is_computed_again(faces: Faces, monkeypatch):
    first = Evaluator(SlicedWasserstein(), faces, count=50)
    (file,) = faces.folder.glob("references-swd-*.pt")
    file.write_bytes(file.read_bytes()[:1000])
    assert Evaluator(SlicedWasserstein(), faces, count=50).references.floor == (
        first.references.floor
    )
    file.unlink()

    def full(content: object, path: Path) -> None:
        raise OSError("no space")

    monkeypatch.setattr(evaluator.torch, "save", full)
    Evaluator(SlicedWasserstein(), faces, count=50)
    assert not list(faces.folder.iterdir())


def test_few_faces_make_smaller_sets_and_too_few_are_refused(faces: Faces):
    assert Evaluator(SlicedWasserstein(), faces, count=2000).count == len(faces.train_rows) // 2
    few = replace(faces, train_rows=faces.train_rows[:15])
    with pytest.raises(UserError, match="15 different faces are too few.*metric=none"):
        Evaluator(SlicedWasserstein(), few)
    with pytest.raises(UserError, match="reference=test"):
        Evaluator(SlicedWasserstein(), faces, reference="test")  # type: ignore[arg-type]


def test_latents_are_always_the_same(faces: Faces):
    found = Evaluator(SlicedWasserstein(), faces, count=50)
    assert torch.equal(found.latents(6), found.latents(6))
