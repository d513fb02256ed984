"""Records of complete, newly started and damaged runs."""

import json
from pathlib import Path

import pytest

from anime_dcgan.run.record import read_record
from tests.run_folder import make_full_run, make_run, row, write_quality


def test_a_complete_run_is_read_in_full(tmp_path: Path):
    record = read_record(make_full_run(tmp_path / "a"))
    assert record.name == "a"
    assert record.quality and record.quality.best and record.quality.best.epoch == 8
    assert record.equilibrium and record.equilibrium.epoch == 6
    assert len(record.equilibrium.history["gap"]) == 10  # the null is not a point
    assert record.images == 10_000
    assert "image_size: 16" in record.config and "run=a" in record.commands
    assert not record.notes


def test_a_run_that_just_started_has_no_records_and_no_damage(tmp_path: Path):
    (tmp_path / "checkpoints").mkdir()
    record = read_record(tmp_path)
    assert (record.quality, record.equilibrium, record.images) == (None, None, None)
    assert not record.scalars and not record.notes


def test_the_best_has_the_lowest_headline_and_non_finite_values_are_dropped(tmp_path: Path):
    not_finite = row(3, swd_all=float("nan"), swd_16=1.0, swd_32=-1e300)
    write_quality(
        tmp_path, [row(2, swd_all=4.0), not_finite, row(1, swd_all=None), row(4, swd_all=9)]
    )
    quality = read_record(tmp_path).quality
    assert quality and quality.best
    assert [each.epoch for each in quality.measurements] == [1, 2, 3, 4]
    assert quality.best.epoch == 2
    assert quality.measurements[2].values == {"swd/16": 1.0}


@pytest.mark.parametrize("name", ["quality.json", "equilibrium.json"])
@pytest.mark.parametrize(
    "contents",
    [
        *("", "{", "[]", "null", "3", '{"rows": 1}', '{"verdict": []}', "[" * 100_000),
        '{"metric": {"headline": "a/b"}, "rows": [{"images": null, "values": {}}]}',
        '{"metric": {"headline": "a/b"}, "floor": [1], "rows": []}',
        '{"metric": {"headline": "a/b"}, "rows": [7]}',
        '{"verdict": "splendid", "reasons": [], "history": []}',
        '{"verdict": "learning", "reasons": "none", "history": []}',
        '{"verdict": "learning", "reasons": [], "history": [1]}',
        '{"verdict": "learning", "reasons": [], "history": 1}',
    ],
)
def test_damaged_files_are_left_out_and_named(tmp_path: Path, name: str, contents: str):
    (tmp_path / name).write_text(contents)
    record = read_record(tmp_path)
    assert (record.quality, record.equilibrium) == (None, None)
    (note,) = record.notes
    assert note.startswith(f"{name} is damaged and left out: ")


def test_bytes_that_are_not_text_are_replaced_or_reported(tmp_path: Path):
    run = make_run(tmp_path / "a")
    for name in ("quality.json", "config.yaml"):
        (run / name).write_bytes(b"\xff\xfe\x00")
    record = read_record(run)
    assert "quality.json is damaged" in record.notes[0]
    assert record.config.startswith("\N{REPLACEMENT CHARACTER}")


def test_numbers_that_overflow_are_reported_as_damage(tmp_path: Path):
    (tmp_path / "quality.json").write_text(
        json.dumps({"metric": {"headline": "a/b"}, "rows": [{"images": 10**400, "values": {}}]})
    )
    assert "`images` is missing or not a float" in read_record(tmp_path).notes[0]
