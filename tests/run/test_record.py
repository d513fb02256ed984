"""Records of complete, newly started and damaged runs."""

import json
from pathlib import Path

import pytest

from anime_dcgan.page import formatting
from anime_dcgan.run.record import VERDICTS, read_record
from tests.run_folder import make_full_run, make_run, row, write_quality, write_verdict


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


def test_every_verdict_has_texts_in_the_same_order():
    assert list(formatting.VERDICT_TEXTS) == list(VERDICTS)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_headline_names_the_verdict(tmp_path: Path, verdict: str):
    write_verdict(tmp_path, verdict, epoch=21 if verdict == "equilibrium" else None)
    headline, meaning = formatting.verdict(read_record(tmp_path).equilibrium)
    assert meaning and (verdict in headline.lower())
    if verdict == "equilibrium":
        assert headline == "Equilibrium reached at epoch 21 (21 thousand images)"


def test_numbers_are_formatted_with_three_digits():
    numbers = [formatting.number(value) for value in (None, 0.123456, 12.3456, 1234567.0, 1e-7)]
    assert numbers == ["-", "0.123", "12.3", "1,234,567", "1.00e-07"]
    assert [formatting.number(value) for value in (3.0, 833.0)] == ["3.00", "833"]
    assert [formatting.epoch(value) for value in (None, 21.0, 1.40449)] == ["-", "21", "1.404"]
    assert formatting.images(512) == "512 images"
    assert formatting.images(298_400) == "298 thousand images"


def test_numbers_that_overflow_are_reported_as_damage(tmp_path: Path):
    (tmp_path / "quality.json").write_text(
        json.dumps({"metric": {"headline": "a/b"}, "rows": [{"images": 10**400, "values": {}}]})
    )
    assert "`images` is missing or not a float" in read_record(tmp_path).notes[0]
