"""Reading the choices that the review page saves."""

from pathlib import Path

import pytest

from anime_dcgan.cleaning.choices import read_choices
from anime_dcgan.system.errors import UserError


def test_choices_are_read_as_saved(tmp_path: Path):
    path = tmp_path / "review.json"
    path.write_text('\ufeff{"choices": {"ab": "keep", "cd": "drop"}}\n', encoding="utf-8")
    assert read_choices(path) == {"ab": "keep", "cd": "drop"}
    path.write_text('{"choices": {}}')
    assert read_choices(path) == {}


@pytest.mark.parametrize(
    "contents",
    [
        *("", "{", "[]", "null", '{"choices": []}', '{"other": {}}', "[" * 100_000),
        *('{"choices": {"a": "Keep"}}', '{"choices": {"a": null}}', '{"choices": {"a": []}}'),
        *('{"choices": {"a": "keep", "b": 1}}', b"\xff\xfe\x00"),
    ],
)
def test_an_invalid_review_is_reported_in_a_line(tmp_path: Path, contents: str | bytes):
    path = tmp_path / "review.json"
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(UserError, match=r"^review=.*review\.json [^\n]*$"):
        read_choices(path)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_missing_review_is_reported_in_a_line(tmp_path: Path, name: str):
    with pytest.raises(UserError, match=r"^review=[^\n]* cannot be read: [^\n]*$"):
        read_choices(tmp_path / name)
