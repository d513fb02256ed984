"""Hostile and damaged files are refused in one line, at once and in little memory."""

import json
import os
from pathlib import Path

import pytest

from anime_dcgan.system import reader
from anime_dcgan.system.errors import RefusedFileError
from anime_dcgan.system.files import open_to_append, try_lock
from anime_dcgan.system.reader import read_bytes, read_json, read_yaml


def laughs(depth: int = 30) -> str:
    """A YAML text whose aliases expand to 2^depth values."""
    return "a0: &a0 [1]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, depth)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (laughs(), "aliases"),
        ("a: &a [*a]", "aliases"),
        ("[" * 1000 + "]" * 1000, "nested more than"),
        ("{a: " * 100_000, "nested more than"),
        ("a: !!set {b}", "type set"),
        ("a: 2026-01-01", "type date"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        (f"a: 0x{'f' * 100}", "64 bits"),
        (f"a: {'9' * 5000}", "4300"),
        ("[" + "1," * 300_000 + "]", "200,000 values"),
        ("a: [", "while parsing"),
        ("a: \0", "not allowed"),
    ],
)
def test_yaml_that_this_package_never_writes_is_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RefusedFileError, match=message) as refused:
        read_yaml(tmp_path / "config.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[1", "9" * 5000, "9" * 400, "-1e999", ""])
def test_json_that_cannot_be_parsed_is_refused(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(RefusedFileError, match="not valid JSON"):
        read_json(tmp_path / "a.json")


def make_irregular(folder: Path, kind: str) -> Path:
    """Make something in the folder that is not a regular file, and return its path."""
    path = folder / "config.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"device": "/dev/zero", "itself": path}[kind])
    return path


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are files on POSIX")
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "itself"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str):
    path = make_irregular(tmp_path, kind)
    with pytest.raises(RefusedFileError, match=r"config.yaml cannot be read: [^\n]*$"):
        read_yaml(path)
    assert not reader.is_regular(path)


def test_paths_that_no_file_system_takes(tmp_path: Path):
    with pytest.raises(RefusedFileError, match="null byte"):
        read_yaml(tmp_path / "a\0b")
    with pytest.raises(RefusedFileError, match="name too long"):
        read_yaml(tmp_path / ("a" * 300))
    assert (reader.is_regular(tmp_path / "a\0b"), reader.modified(tmp_path / "a\0b")) == (False, 0)


def test_large_files_are_refused_unread(tmp_path: Path):
    path = tmp_path / "config.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 1024**3)  # sparse: it takes no room
    with pytest.raises(RefusedFileError, match="larger than 1 MB"):
        read_yaml(path)
    assert read_bytes(path, 5, truncate=True) == bytes(5)


def test_files_of_the_usual_kind_are_read(tmp_path: Path):
    content = {"a": [1, 2.5, None, {"b": "é"}], "c": True}
    (tmp_path / "a.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8-sig")
    assert read_json(tmp_path / "a.json") == read_yaml(tmp_path / "a.json") == content
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "b.yaml")


def test_rows_without_their_numbers_are_left_out(tmp_path: Path):
    rows = [{"images": 1, "gap": 0.5}, {"images": "1", "gap": 0.5}, {"gap": 1}, 7, None]
    (tmp_path / "a.json").write_text(json.dumps({"history": rows}))
    assert reader.read_list(tmp_path / "a.json", "history", ["images", "gap"]) == rows[:1]
    (tmp_path / "a.json").write_text('{"history": 1}')
    assert reader.read_list(tmp_path / "a.json", "history") == []


@pytest.mark.skipif(os.name != "posix", reason="pipes and links are as on POSIX")
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_nothing_is_appended_to_pipes_or_through_links(tmp_path: Path, kind: str):
    with pytest.raises(OSError), open_to_append(make_irregular(tmp_path, kind)):
        pass


@pytest.mark.skipif(os.name != "posix", reason="links are as on POSIX")
def test_a_link_as_lock_does_not_empty_its_target(tmp_path: Path):
    (tmp_path / "precious").write_text("a")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError), try_lock(tmp_path / ".lock"):
        pass
    assert (tmp_path / "precious").read_text() == "a"
