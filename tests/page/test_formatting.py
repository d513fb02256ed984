"""Verdicts and numbers as pages show them."""

from pathlib import Path

import pytest

from anime_dcgan.page import formatting
from anime_dcgan.run.record import VERDICTS, read_record
from tests.run_folder import write_verdict


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
