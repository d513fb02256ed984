"""The generate command with runs that have labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.checkpoints import make_checkpoint

SIDE, GAP = 16, 2


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    make_checkpoint(tmp_path / "outputs/a/checkpoints/last.ckpt", labels=("blue", "red"))
    make_checkpoint(tmp_path / "outputs/plain/checkpoints/last.ckpt")
    return tmp_path


def faces(path: Path, rows: int, columns: int) -> np.ndarray:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    step = SIDE + GAP
    assert pixels.shape == (rows * step + GAP, columns * step + GAP, 3)
    return np.stack(
        [
            [
                pixels[GAP + step * row :, GAP + step * column :][:SIDE, :SIDE]
                for column in range(columns)
            ]
            for row in range(rows)
        ]
    )


def test_a_sheet_of_all_labels_has_a_row_for_each(call, labelled: Path):
    log = call("generate", "run=a", "labels=all", "n=3", "out=all.png", cwd=labelled).stderr
    assert log.startswith("3 faces of each of 2 labels of outputs/a/checkpoints/last.ckpt")
    call("generate", "run=a", "label=red", "n=3", "columns=3", "out=red.png", cwd=labelled)
    blue, red = faces(labelled / "all.png", 2, 3)
    assert np.array_equal(red, faces(labelled / "red.png", 1, 3)[0])
    assert np.abs(blue - red).max() > 3


def test_a_film_of_labels_begins_with_the_face_of_the_first(call, labelled: Path):
    film = ("labels=red,blue", "frames_per_face=4", "seed=3", "out=film.gif")
    log = call("generate", "run=a", *film, cwd=labelled).stderr
    assert log.startswith("a face through 2 labels of outputs/a/checkpoints/last.ckpt")
    call("generate", "run=a", "label=red", "n=1", "seed=3", "out=red.png", cwd=labelled)
    with Image.open(labelled / "film.gif") as frames:
        assert frames.n_frames == 8  # type: ignore[attr-defined]
        first = np.asarray(frames.convert("RGB")).astype(int)
    scale = first.shape[0] // SIDE
    expected = faces(labelled / "red.png", 1, 1)[0, 0]
    assert np.abs(first[::scale, ::scale] - expected).mean() < 8  # a GIF has 256 colours


def test_classes_may_be_called_by_numbers(call, labelled: Path):
    path = labelled / "outputs/numbers/checkpoints/last.ckpt"
    make_checkpoint(path, labels=("0", "1", "true", "1e3"))
    call("generate", "run=numbers", "labels=[1, true]", "n=2", "out=rows.png", cwd=labelled)
    rows = faces(labelled / "rows.png", 2, 2)
    for row, label in zip(rows, ("1", "true"), strict=True):
        out = f"{label}.png"
        call("generate", "run=numbers", f"label={label}", "n=2", f"out={out}", cwd=labelled)
        assert np.array_equal(row, faces(labelled / out, 1, 2)[0])
    stderr = call("generate", "run=numbers", "labels=2,1e3", cwd=labelled, status=2).stderr
    assert "label=2 is not a label of this run: use one of 0, 1, true, 1e3" in stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["label=pink"], "label=pink is not a label of this run: use one of blue, red"),
        (["labels=red,pink"], "label=pink is not a label of this run"),
        (["run=plain", "label=red"], "this run was trained without"),
        (["run=plain", "labels=all"], "train with data.labels=folders"),
        (["label=red", "labels=all"], "contradict each other"),
        (["labels=all", "mix=1,2"], "labels=... and mix=..."),
        (["labels=all", "out=many/"], "use out=faces.png"),
        (["labels=[]"], "labels=[] is empty: use labels=all"),
        (["label=''"], "must be the name of a class"),
    ],
)
def test_labels_that_cannot_be_drawn_are_refused(call, labelled: Path, settings, message: str):
    result = call("generate", "run=a", *settings, cwd=labelled, status=2)
    assert message in result.stderr
    assert not list(labelled.glob("*.png"))
