"""A preview shows real faces next to their augmentations, and trains nothing."""

from pathlib import Path

import numpy as np
from PIL import Image

from anime_dcgan.sampling.image import GRID_PADDING

SIZE = 16
PREVIEW = ("preview=true", "data.count=40", "data.image_size=16", "trainer=cpu")


def cells(path: Path, scale: int = 4) -> np.ndarray:
    """Return the faces on a sheet, shape (rows, columns, 16, 16, 3)."""
    with Image.open(path) as picture:
        sheet = np.asarray(picture)[GRID_PADDING:, GRID_PADDING:]
    side = SIZE * scale + GRID_PADDING
    sheet = sheet.reshape(sheet.shape[0] // side, side, sheet.shape[1] // side, side, 3)
    return sheet.swapaxes(1, 2)[:, :, :-GRID_PADDING:scale, :-GRID_PADDING:scale]


def test_a_preview_is_written_and_nothing_is_trained(call, tmp_path: Path):
    result = call("train", *PREVIEW, "augment=flip", "run=a", cwd=tmp_path)
    path = tmp_path / "outputs/a/preview.png"
    assert str(path) in result.stdout
    assert "original; 9 times augmented" in result.stdout
    assert {entry.name for entry in path.parent.iterdir()} == {"preview.png"}
    faces = cells(path)
    assert faces.shape == (8, 10, SIZE, SIZE, 3)
    for real, *augmented in faces:
        mirrored = [np.array_equal(face, real[:, ::-1]) for face in augmented]
        same = [np.array_equal(face, real) for face in augmented]
        assert all(one or other for one, other in zip(mirrored, same, strict=True))
    before = path.read_bytes()
    call("train", *PREVIEW, "augment=flip", "run=a", cwd=tmp_path)
    assert path.read_bytes() == before
    call("train", *PREVIEW, "augment=flip", "run=a", "seed=1", cwd=tmp_path)
    assert path.read_bytes() != before


def test_a_preview_of_ada_shows_several_strengths(call, tmp_path: Path):
    result = call(
        "train", *PREVIEW, "augment=ada", "augment.max_probability=0.8", "run=a", cwd=tmp_path
    )
    assert "original; 3 times p=0.2; 3 times p=0.4; 3 times p=0.8" in result.stdout
    faces = cells(tmp_path / "outputs/a/preview.png").astype(float)
    change = np.abs(faces[:, 1:] - faces[:, :1]).mean((0, 2, 3, 4))
    assert change[:3].mean() < change[6:].mean()


def test_a_preview_reports_errors_in_one_line(call, tmp_path: Path):
    result = call("train", *PREVIEW, "augment=ada", "augment.target=2", cwd=tmp_path, status=2)
    assert "error: augment.target=2" in result.stderr
