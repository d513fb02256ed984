"""Batches: the split, the order, several processes, and resuming within an epoch."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.system.errors import UserError

IMAGES = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1).repeat(3, axis=3)


def numbers(batches: FaceBatches) -> list[list[int]]:
    return [batch[:, 0, 0, 0].tolist() for batch in batches]


def test_an_epoch_shows_each_face_once_in_full_batches():
    batches = FaceBatches(IMAGES, np.arange(30), batch_size=4, seed=0)
    shown = numbers(batches)
    assert len(shown) == len(batches) == 7
    assert len({number for batch in shown for number in batch}) == 28


def test_too_few_faces_give_no_batch():
    assert numbers(FaceBatches(IMAGES, np.arange(3), 4, seed=0)) == []


def test_the_order_depends_only_on_seed_and_epoch():
    one, same = (FaceBatches(IMAGES, np.arange(30), 4, seed=0) for _ in range(2))
    first = numbers(one)
    assert numbers(one) == first == numbers(same)
    one.sampler.set_epoch(1)
    assert numbers(one) != first
    assert numbers(FaceBatches(IMAGES, np.arange(30), 4, seed=1)) != first


@pytest.mark.parametrize("device", [None, torch.device("cpu")])
def test_the_order_within_a_batch_is_random(device: torch.device | None):
    """Consecutive images form the groups of `MinibatchStd`, and neighbouring rows may be alike."""
    images = np.arange(200, dtype=np.uint8).reshape(200, 1, 1, 1).repeat(3, axis=3)
    shown = numbers(FaceBatches(images, np.arange(200), 20, seed=0, device=device))
    distances = [abs(a - b) for batch in shown for a, b in itertools.pairwise(batch)]
    assert np.mean(distances) == pytest.approx(200 / 3, rel=0.2)  # 10 if they were sorted


def test_processes_share_an_epoch_without_overlap():
    parts = [
        FaceBatches(IMAGES, np.arange(30), 4, seed=0, rank=rank, world_size=3) for rank in range(3)
    ]
    shown = [number for part in parts for batch in numbers(part) for number in batch]
    assert len(shown) == len(set(shown)) == 24


def test_resumes_within_an_epoch_and_completes_the_next():
    complete = FaceBatches(IMAGES, np.arange(30), 4, seed=0)
    stopped = FaceBatches(IMAGES, np.arange(30), 4, seed=0)
    iterator = iter(stopped)
    first = [next(iterator)[:, 0, 0, 0].tolist() for _ in range(3)]
    resumed = FaceBatches(IMAGES, np.arange(30), 4, seed=0)
    resumed.load_state_dict(stopped.state_dict())
    assert first + numbers(resumed) == numbers(complete)
    for batches in (complete, resumed):
        batches.sampler.set_epoch(1)
    assert numbers(resumed) == numbers(complete)


def test_batches_bypass_the_memory_map(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "faces.npy", images)
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")
    rows = np.arange(3, 40)
    for own, other in zip(
        FaceBatches(images, rows, 6, seed=0), FaceBatches(mapped, rows, 6, seed=0), strict=True
    ):
        assert torch.equal(own, other)


@pytest.mark.parametrize("stopped_after", [0, 2])
def test_resident_faces_come_in_the_same_batches(stopped_after):
    rows = np.arange(2, 29)
    from_disk, resident = (
        FaceBatches(IMAGES, rows, 4, seed=0, rank=1, world_size=2, device=device)
        for device in (None, torch.device("cpu"))
    )
    state = {"epoch": 0, "batches": stopped_after}
    for batches in (from_disk, resident):
        batches.load_state_dict(state)
    assert numbers(resident) == numbers(from_disk) != []
    for batches in (from_disk, resident):
        batches.sampler.set_epoch(1)
    assert numbers(resident) == numbers(from_disk)


@pytest.mark.parametrize(
    ("resident", "device", "free", "expected"),
    [
        (None, "cpu", 10**9, False),
        (None, "cuda", 10**9, True),
        (None, "cuda", 20_000, False),
        (False, "cuda", 10**9, False),
        (True, "cpu", 0, True),
    ],
)
def test_faces_are_resident_on_a_gpu_with_enough_memory(
    tmp_path: Path, monkeypatch, resident, device, free, expected
):
    module = FacesDataModule(DrawnFaces(20), 16, 5, cache_dir=str(tmp_path), resident=resident)
    module.setup()  # 20 faces are 15 360 bytes
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, free))
    strategy = SimpleNamespace(root_device=torch.device(device))
    module.trainer = SimpleNamespace(world_size=1, global_rank=0, strategy=strategy)  # type: ignore
    batches = module.train_dataloader()
    assert batches.device == (torch.device(device) if expected else None)


def test_batches_are_uint8_faces_from_the_cache(tmp_path: Path):
    module = FacesDataModule(DrawnFaces(20), 16, batch_size=5, cache_dir=str(tmp_path))
    module.prepare_data()
    module.setup()
    batches = list(module.train_dataloader())
    full = len(module.faces.train_rows) // 5
    assert [batch.shape for batch in batches] == [(5, 16, 16, 3)] * full
    assert len(module.faces.train_rows) + len(module.faces.holdout_rows) == 20
    assert all(batch.dtype == torch.uint8 for batch in batches)
    assert isinstance(module.faces.images, np.memmap)


@pytest.mark.parametrize(
    ("name", "value"), [("holdout", 1.0), ("holdout", -0.1), ("batch_size", 0)]
)
def test_invalid_settings_are_rejected(name, value):
    with pytest.raises(UserError, match=f"data.{name}="):
        FacesDataModule(DrawnFaces(20), **{name: value})


def test_copies_of_one_picture_that_are_all_held_out_are_reported(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for number in range(9):
        Image.new("RGB", (8, 8), (90, 8, 7)).save(tmp_path / "faces" / f"{number}.png")
    source = FolderFaces(str(tmp_path / "faces"))
    module = FacesDataModule(source, 8, holdout=0.999, cache_dir=str(tmp_path / "cache"))
    module.setup()
    with pytest.raises(UserError, match=r"all 9 faces are held out.*data\.holdout=0"):
        module.train_dataloader()
