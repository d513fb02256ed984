"""Scalars are read back as they were appended, even after a killed process or a full disk."""

import json
import math
from pathlib import Path

import pytest

from anime_dcgan.run.scalars import (
    SCALARS,
    append_scalars,
    read_scalars,
    remove_scalars_beyond,
    thin,
)
from tests.run_folder import write_scalars


def test_each_point_is_one_json_object(tmp_path: Path):
    append_scalars(tmp_path / SCALARS, 100, {"loss/generator": 1.5, "epoch": 0})
    append_scalars(tmp_path / SCALARS, 100, {"quality/swd/mean": 40.0})
    lines = (tmp_path / SCALARS).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"images": 100, "loss/generator": 1.5, "epoch": 0},
        {"images": 100, "quality/swd/mean": 40.0},
    ]


def test_curves_are_read_back_exactly(tmp_path: Path):
    points = [(step * 10, 1 / step) for step in range(1, 400)]
    write_scalars(tmp_path, {"loss/discriminator": points, "epoch": [(10, 1.0)]})
    notes: list[str] = []
    expected = {"loss/discriminator": points, "epoch": [(10, 1.0)]}
    assert read_scalars(tmp_path, notes) == expected
    assert not notes


def test_a_run_without_the_file_has_no_curves(tmp_path: Path):
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {}
    remove_scalars_beyond(tmp_path / SCALARS, 10)
    assert not notes and not list(tmp_path.iterdir())


def test_values_that_are_not_finite_are_null_and_not_points(tmp_path: Path):
    append_scalars(tmp_path / SCALARS, 1, {"a": math.nan, "b": math.inf, "c": 2.0})
    assert json.loads((tmp_path / SCALARS).read_text()) == {
        **{"images": 1, "a": None},
        **{"b": None, "c": 2.0},
    }
    assert read_scalars(tmp_path, []) == {"c": [(1, 2.0)]}


def test_resuming_removes_the_points_beyond_the_checkpoint(tmp_path: Path):
    write_scalars(tmp_path, {"a": [(1, 0.1), (2, 0.2), (3, 0.3)], "b": [(3, 0.5)]})
    with (tmp_path / SCALARS).open("a") as file:
        file.write('{"images": 2, "to')
    remove_scalars_beyond(tmp_path / SCALARS, 2)
    assert len((tmp_path / SCALARS).read_text().splitlines()) == 2
    append_scalars(tmp_path / SCALARS, 4, {"a": 0.4})
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {"a": [(1, 0.1), (2, 0.2), (4, 0.4)]}
    assert not notes


def test_a_later_line_supersedes_points_that_could_not_be_removed(tmp_path: Path):
    write_scalars(tmp_path, {"accuracy/real": [(1, 0.1), (2, 0.2), (3, 0.3)]})
    write_scalars(tmp_path, {"accuracy/real": [(2, 0.5), (4, 0.75)]})
    assert read_scalars(tmp_path, []) == {"accuracy/real": [(1, 0.1), (2, 0.5), (4, 0.75)]}


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_torn_last_line_is_ignored_and_the_next_line_is_not(tmp_path: Path, cut: int):
    write_scalars(tmp_path, {"a": [(1, 1.0), (2, 2.0)]})
    path = tmp_path / SCALARS
    path.write_bytes(path.read_bytes()[:-cut])
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {"a": [(1, 1.0)]}
    assert not notes
    append_scalars(path, 3, {"a": 3.0})
    assert read_scalars(tmp_path, [])["a"][-1] == (3, 3.0)


@pytest.mark.parametrize(
    "line",
    [
        *(b"\xff\xfe", b"{", b"[1]", b"null", b"[" * 100_000, b'{"a": 1}'),
        *(b'{"images": "3", "a": 1}', b'{"images": NaN, "a": 1}', b'{"images": 1e300}'),
        b'{"images": %d}' % 10**400,
    ],
)
def test_damaged_lines_are_counted_and_left_out(tmp_path: Path, line: bytes):
    path = tmp_path / SCALARS
    path.write_bytes(b'{"images": 1, "a": 1}\n' + line + b'\n{"images": 2, "a": 2, "b": "x"}\n')
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {"a": [(1, 1), (2, 2)]}
    assert notes == ["scalars.jsonl is damaged: 1 of its 3 lines are left out"]


def test_a_file_that_cannot_be_read_is_noted(tmp_path: Path):
    (tmp_path / SCALARS).mkdir()
    notes: list[str] = []
    assert read_scalars(tmp_path, notes) == {}
    assert notes[0].startswith("scalars.jsonl cannot be read")


def test_long_curves_are_averaged():
    points = thin([(float(x), float(x % 2)) for x in range(1000)], max_points=100)
    assert len(points) == 100
    assert points[0] == (4.5, 0.5)
    assert thin([], max_points=3) == []
