"""Labelled batches, and batches that are balanced by class."""

from collections import Counter

import numpy as np
import pytest
import torch

from anime_dcgan.data.batches import FaceBatches, LabelledFaces

IMAGES = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1).repeat(3, axis=3)
LABELS = np.repeat([0, 1, 2, -1], [60, 25, 5, 10])
ROWS = np.arange(100)


def make(**settings: object) -> FaceBatches:
    settings = {"labels": LABELS, "balance": True, **settings}
    return FaceBatches(IMAGES, ROWS, 4, seed=0, **settings)  # pyright: ignore[reportArgumentType]


def numbers(batches: FaceBatches) -> list[list[int]]:
    return [batch.images[:, 0, 0, 0].tolist() for batch in batches]


@pytest.mark.parametrize("device", [None, torch.device("cpu")])
@pytest.mark.parametrize("balance", [False, True])
def test_images_come_with_their_labels(device: torch.device | None, balance: bool):
    for batch in make(device=device, balance=balance):
        assert isinstance(batch, LabelledFaces)
        assert batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == LABELS[batch.images[:, 0, 0, 0]].tolist()


def test_labels_alone_do_not_change_the_images():
    plain = [batch.tolist() for batch in FaceBatches(IMAGES, ROWS, 4, seed=0)]
    assert [batch.images.tolist() for batch in make(balance=False)] == plain


@pytest.mark.parametrize("world_size", [1, 3])
def test_a_balanced_epoch_has_each_class_equally_often(world_size: int):
    parts = [make(rank=rank, world_size=world_size) for rank in range(world_size)]
    assert len(parts[0]) == 100 // (4 * world_size)
    shown = [n for part in parts for batch in numbers(part) for n in batch]
    classes = Counter(LABELS[shown].tolist())
    length = len(parts[0]) * 4 * world_size
    assert classes.total() == length
    assert classes[-1] == length // 10  # as frequent as among the faces
    assert all(abs(classes[label] - 0.3 * length) <= 1 for label in range(3))
    for label in range(3):  # none is drawn again before the whole class was drawn
        times = Counter({n: shown.count(n) for n in ROWS[label == LABELS]})
        assert max(times.values()) - min(times.values()) <= 1


def test_a_balanced_order_is_random_and_depends_on_seed_and_epoch():
    batches, same = make(), make()
    first = numbers(batches)
    assert numbers(same) == first
    assert all(len(set(LABELS[batch].tolist())) > 1 for batch in first[:3])
    batches.sampler.set_epoch(1)
    assert numbers(batches) != first
    batches.sampler.set_epoch(0)
    assert numbers(batches) == first
    repeated = make(repeat=True)
    repeated.sampler.set_epoch(1)
    assert numbers(repeated) == first


def test_a_balanced_epoch_resumes_in_its_middle():
    complete, stopped, resumed = make(), make(), make()
    for batches in (complete, stopped):
        batches.sampler.set_epoch(2)
    iterator = iter(stopped)
    first = [next(iterator).images[:, 0, 0, 0].tolist() for _ in range(7)]
    resumed.load_state_dict(stopped.state_dict())
    resumed.sampler.set_epoch(2)
    assert first + numbers(resumed) == numbers(complete)


def test_faces_without_any_known_class_are_drawn_as_they_come():
    batches = make(labels=np.full(100, -1))
    assert sorted(n for batch in numbers(batches) for n in batch) == ROWS.tolist()
