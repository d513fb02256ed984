"""Atomic writes leave the previous file or the new one, and no temporary file."""

from pathlib import Path

import pytest

from anime_dcgan.system.files import atomic_write


@pytest.mark.parametrize("shared", [True, False])
def test_the_file_is_replaced_at_the_end(tmp_path: Path, shared: bool):
    path = tmp_path / "folder" / "a.png"
    for text in ("old", "new"):
        with atomic_write(path, shared) as partial:
            assert partial.suffix == ".png" and partial.parent == path.parent
            partial.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_previous_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as partial:
        partial.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
