"""Curves from the events of TensorBoard and from the table of the CSV logger."""

from pathlib import Path

from anime_dcgan.run.scalars import read_scalars, thin
from tests.run_folder import write_events


def test_events_are_read_past_the_pictures_between_them(tmp_path: Path):
    write_events(tmp_path, {"loss/generator": [(100, 1.5), (200, 0.5)], "speed": [(100, 60.0)]})
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {"loss/generator": [(100, 1.5), (200, 0.5)]}
    assert not notes


def test_it_agrees_with_tensorboards_own_reader(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    points = [(step * 10, 1 / step) for step in range(1, 400)]
    write_events(tmp_path, {"loss/discriminator": points})
    theirs = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    expected = [(event.step, event.value) for event in theirs.Scalars("loss/discriminator")]
    assert read_scalars(tmp_path, []) == {"loss/discriminator": expected}


def test_the_tenth_file_of_a_second_comes_after_the_ninth(tmp_path: Path):
    for number, value in ((9, 0.25), (10, 0.75)):
        write_events(tmp_path / str(number), {"accuracy/real": [(1, value)]})
        (written,) = (tmp_path / str(number) / "tensorboard").iterdir()
        (tmp_path / "tensorboard").mkdir(exist_ok=True)
        written.rename(tmp_path / "tensorboard" / f"events.out.tfevents.1700000000.host.7.{number}")
    assert read_scalars(tmp_path, [])["accuracy/real"] == [(1, 0.75)]


def test_what_a_resumed_run_says_anew_counts(tmp_path: Path):
    write_events(tmp_path, {"accuracy/real": [(1, 0.1), (2, 0.2), (3, 0.3)]}, suffix=".a")
    write_events(tmp_path, {"accuracy/real": [(2, 0.5), (4, 0.75)]}, suffix=".b")
    images, values = zip(*read_scalars(tmp_path, [])["accuracy/real"], strict=True)
    assert images == (1, 2, 4)
    assert values[1:] == (0.5, 0.75)


def test_half_a_record_at_the_end_is_no_damage(tmp_path: Path):
    write_events(tmp_path, {"loss/generator": [(1, 1.0), (2, 2.0)]})
    (path,) = (tmp_path / "tensorboard").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {"loss/generator": [(1, 1.0)]}
    assert not notes


def test_a_damaged_record_is_noted_and_what_came_before_kept(tmp_path: Path):
    write_events(tmp_path, {"loss/generator": [(1, 1.0), (2, 2.0)]})
    (path,) = (tmp_path / "tensorboard").iterdir()
    contents = bytearray(path.read_bytes())
    contents[-30:-4] = b"\xff" * 26
    path.write_bytes(contents)
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {"loss/generator": [(1, 1.0)]}
    assert len(notes) == 1 and "is damaged" in notes[0]


def test_the_table_of_the_csv_logger(tmp_path: Path):
    (tmp_path / "csv").mkdir()
    table = tmp_path / "csv" / "metrics.csv"
    table.write_text("step,loss/generator,speed\n1,0.5,9\n2,,9\n3,nan,9\n4,0.25,9\n,1,1\n")
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {"loss/generator": [(1, 0.5), (4, 0.25)]}
    assert not notes
    table.write_text("step,loss/generator\n1,0.5\n2,half\n")
    assert read_scalars(tmp_path, notes) == {"loss/generator": [(1, 0.5)]}
    assert "metrics.csv is damaged" in notes[0]


def test_long_curves_are_averaged():
    points = thin([(float(x), float(x % 2)) for x in range(1000)], max_points=100)
    assert len(points) == 100
    assert points[0] == (4.5, 0.5)
    assert thin([], max_points=3) == []
