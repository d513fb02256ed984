"""Choices of the review page: applied, remembered, and invalid."""

import json
from pathlib import Path

import pytest

from tests.html import Page
from tests.page.test_review import data_of
from tests.prepare.pile import FACES, SOURCE, Call, error_line, reasons, rows_of


def save_review(path: Path, choices: dict[str, str]) -> None:
    path.write_text(json.dumps({"choices": choices}))


def test_choices_are_applied_and_remembered(call: Call, pile: Path, prepared: Path):
    page = data_of(Page(prepared / "review.html"))
    key = {one["name"]: one["key"] for reason in page["reasons"] for one in reason["suspects"]}
    before = rows_of(prepared)
    face = next(row for name, row in before.items() if name in FACES and row["verdict"] == "keep")
    save_review(
        prepared / "review.json",
        {key["deep/blurred.png"]: "keep", face["pixels"]: "drop", "of another set": "drop"},
    )
    settings = (SOURCE, "holdout=0.2", f"out={prepared}")
    printed = call("prepare", *settings, f"review={prepared / 'review.json'}", cwd=pile).stderr
    assert "2 of 3 choices of the review apply to these pictures" in printed
    assert "1  dropped by you" in printed
    after = rows_of(prepared)
    assert after["deep/blurred.png"]["verdict"] == "keep"
    assert after[face["name"]]["verdict"] == "drop"
    for name in ("deep/blurred.png", face["name"]):
        assert "your choice" in reasons(after[name])
    assert {name for name in before if before[name] != after[name]} == {
        *("deep/blurred.png", face["name"]),
    }
    (prepared / "review.json").unlink()
    call("prepare", *settings, cwd=pile)
    assert rows_of(prepared) == after
    save_review(prepared / "later.json", {face["pixels"]: "keep"})
    call("prepare", *settings, f"review={prepared / 'later.json'}", cwd=pile)
    assert rows_of(prepared)[face["name"]]["verdict"] == "keep"
    assert rows_of(prepared)["deep/blurred.png"]["verdict"] == "keep"


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ('{"choices": {"a": "ke', "it is not valid JSON"),
        ('{"rows": []}', "review.json has no `choices`"),
        ('{"choices": {"a": "maybe"}}', "has the choice 'maybe' for a: use keep or drop"),
        (None, "review.json cannot be read: No such file"),
    ],
)
def test_an_invalid_review_is_reported_and_changes_nothing(
    call: Call, pile: Path, prepared: Path, contents: str | None, message: str
):
    if contents is not None:
        (prepared / "review.json").write_text(contents)
    before = {path: path.read_bytes() for path in prepared.iterdir() if path.is_file()}
    review = f"review={prepared / 'review.json'}"
    line = error_line(call("prepare", SOURCE, review, f"out={prepared}", cwd=pile, status=2))
    assert line.startswith("review=") and message in line
    assert {path: path.read_bytes() for path in prepared.iterdir() if path.is_file()} == before


def test_a_damaged_file_of_choices_is_reported_by_name(call: Call, pile: Path, prepared: Path):
    (prepared / "choices.json").write_text('{"choices": ')
    line = error_line(call("prepare", SOURCE, f"out={prepared}", cwd=pile, status=2))
    assert line.startswith(f"{prepared / 'choices.json'} is damaged: delete it")
