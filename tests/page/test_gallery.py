"""The choice of the epochs to show, and the size of their pictures."""

from pathlib import Path

from anime_dcgan.page.gallery import MAX_PICTURE_BYTES, choose, epoch_roles, read_gallery
from anime_dcgan.run.record import read_record
from tests.run_folder import make_full_run, make_run, row, write_quality, write_verdict


def test_the_epochs_between_are_spread_evenly():
    epochs = [float(epoch) for epoch in range(1, 102)]
    assert choose(epochs, [101.0, 1.0], 5) == [1, 26, 51, 76, 101]
    assert choose(epochs, [80.0, 101.0, 1.0], 2) == [80, 101]
    assert choose([1.0, 2.0], [2.0, 1.0], 6) == [1, 2]
    assert choose([], [], 6) == []


def test_best_and_verdict_name_their_epochs_or_the_nearest_ones(tmp_path: Path):
    write_quality(tmp_path, [row(7.4, swd_all=1.0), row(9, swd_all=2.0)])
    write_verdict(tmp_path, "equilibrium", epoch=20)
    record = read_record(tmp_path)
    assert list(epoch_roles([1.0, 7.0, 8.0, 30.0], record).items()) == [
        (7, "best"),
        (30, "last, nearest to equilibrium"),
        (1, "first"),
    ]
    assert epoch_roles([1, 20, 30], record)[20] == "equilibrium"
    assert epoch_roles([5.0], record) == {5: "nearest to best, last, nearest to equilibrium, first"}


def test_the_pictures_of_a_full_run(tmp_path: Path):
    run = make_full_run(tmp_path / "a")
    gallery = read_gallery(run, read_record(run), count=4)
    assert {grid.epoch: grid.names for grid in gallery.side_by_side} == {
        1: "first",
        6: "equilibrium",
        8: "best",
        10: "last",
    }
    assert all(grid.raw for grid in gallery.side_by_side)
    assert [grid.epoch for grid in gallery.between] == [2, 3, 4, 5, 7, 9]
    assert gallery.strip_title == "Faces of epoch 8"
    assert gallery.neighbours is not None


def test_damaged_grids_are_left_out_and_named(tmp_path: Path):
    run = make_run(tmp_path / "a", epochs=[1, 2, 3])
    (run / "samples/ema/epoch=0003.png").write_bytes(b"")  # as while the training writes it
    (run / "samples/raw/epoch=0001.png").unlink()
    record = read_record(run)
    gallery = read_gallery(run, record, count=6)
    assert [(grid.epoch, grid.raw is not None) for grid in gallery.side_by_side] == [
        (1, False),
        (2, True),
    ]
    assert gallery.side_by_side[-1].names == "last"
    (note,) = record.notes
    assert note.startswith("samples/ema/epoch=0003.png is damaged")


def test_large_faces_of_many_epochs_stay_within_the_limit(tmp_path: Path):
    run = make_run(tmp_path / "a", epochs=range(1, 31), size=96, faces=16)
    gallery = read_gallery(run, read_record(run), count=6)
    grids = [*gallery.side_by_side, *gallery.between]
    pictures = [
        *gallery.strips,
        *(picture for grid in grids for picture in (grid.averaged, grid.raw)),
    ]
    assert len(gallery.side_by_side) == 6 and gallery.between
    assert sum(len(picture.png) for picture in pictures if picture) <= MAX_PICTURE_BYTES
