"""The generate command: faces, archives, films and messages."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.system.paths import CONF_DIR


def test_a_seed_gives_the_same_face_in_folders_and_archives_of_any_size(call, finished: Path):
    call("generate", "run=a", "epoch=2", "n=20", "seed=5", "out=many/", cwd=finished)
    call("generate", "run=a", "epoch=2", "n=1", "seed=17", "out=one.zip", cwd=finished)
    with zipfile.ZipFile(finished / "one.zip") as archive:
        assert archive.namelist() == ["seed=000017.png"]
        assert archive.read("seed=000017.png") == (finished / "many/seed=000017.png").read_bytes()
    assert len(list((finished / "many").iterdir())) == 20


def test_raw_and_averaged_weights_and_epochs_differ(call, finished: Path):
    pictures = []
    for number, chosen in enumerate((["epoch=1"], ["epoch=3"], ["epoch=3", "weights=raw"])):
        call("generate", "run=latest", *chosen, "n=1", f"out={number}.png", cwd=finished)
        with Image.open(finished / f"{number}.png") as picture:
            pictures.append(np.asarray(picture))
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


def test_faces_in_bf16_differ_invisibly_from_those_in_float32(call, finished: Path):
    call("generate", "run=a", "n=20", "out=exact.png", cwd=finished)
    call("generate", "run=a", "n=20", "precision=bf16-mixed", "out=fast.png", cwd=finished)
    exact, fast = (
        np.asarray(Image.open(finished / f"{name}.png")).astype(int) for name in ("exact", "fast")
    )
    assert 0 < np.abs(exact - fast).max() <= 8
    assert np.abs(exact - fast).mean() < 1


def test_generate_writes_a_film_from_the_path_of_a_checkpoint(call, finished: Path):
    path = "outputs/a/checkpoints/last.ckpt"
    films = ("n=3", "frames_per_face=5", "out=film.gif")
    call("generate", f"epoch='{path}'", *films, cwd=finished)
    with Image.open(finished / "film.gif") as film:
        assert film.n_frames == 15  # type: ignore[attr-defined]


def test_truncation_makes_faces_more_alike(call, finished: Path):
    spread = {}
    for number, truncation in enumerate(("0", "0.5", "1")):
        out = finished / f"truncated-{number}"
        call("generate", "run=a", "n=8", f"truncation={truncation}", f"out={out}/", cwd=finished)
        faces = [np.asarray(Image.open(file)) for file in out.iterdir()]
        spread[truncation] = np.std(faces, axis=0).mean()
    assert spread["0"] == 0 < spread["0.5"] < spread["1"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run=b"], "run=b is not a run"),
        (["run=a", "epoch=9"], "it has: 1, 2, 3"),
        (["run=a", "n=0"], "n=0 must be at least 1: use n=64"),
        (["run=a", "n=many"], "n=many must be an integer: use n=64"),
        (["run=a", "out=faces.bmp"], "must end in .png, .zip, .gif or .mp4, or be a folder"),
        (["run=a", "out=outputs"], "out=outputs exists"),
        (["run=a", "out=/proc/faces.png"], "cannot be written"),
        (["run=a", "weights=best"], "weights=ema or weights=raw"),
        (["run=a", "mix=1,2", "out=mixing.zip"], "use out=mixing.png"),
        (["run=a", "mix=1,2"], "model=stylegan2 or model=biggan"),
        (["run=a", "layers=1-2"], "use mix=1,2"),
        (["run=a", "mix=1,2", "layers=3-1"], "use layers=4-9"),
        (["run=a", "truncation=1.5"], "truncation=1.5 must be a number from 0 to 1"),
        (
            ["run=a", "precision=16"],
            "use precision=32-true, precision=bf16-mixed or precision=auto",
        ),
    ],
)
def test_generate_explains_mistakes_in_one_line(call, finished: Path, overrides, message):
    result = call("generate", *overrides, cwd=finished, status=2)
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


def test_generate_starts_without_lightning(finished: Path):
    program = (
        "import sys; sys.argv[1:] = ['run=a', 'n=1', 'out=light.png']\n"
        "from anime_dcgan.generate import main; main()\n"
        "assert 'torch' in sys.modules and 'lightning' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    subprocess.run(
        [sys.executable, "-c", program], cwd=finished, check=True, env=environment, timeout=60
    )


def test_overwrite_replaces_generated_faces_only(call, finished: Path, tmp_path: Path):
    outputs = shutil.copytree(finished / "outputs", tmp_path / "outputs")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/note.txt").write_text("precious")
    for out in ("kept", "outputs", "outputs/a"):
        stderr = call("generate", "run=a", f"out={out}", "overwrite=true", cwd=tmp_path, status=2)
        assert "has files other than faces" in stderr.stderr
    assert (tmp_path / "kept/note.txt").read_text() == "precious"
    assert (outputs / "a/checkpoints/last.ckpt").exists()
    for n in (3, 2):
        call("generate", "run=a", "out=faces", f"n={n}", "overwrite=true", cwd=tmp_path)
        assert len(list((tmp_path / "faces").iterdir())) == n


@pytest.mark.parametrize(
    ("override", "fix"),
    [
        *(("out=null", "out=faces.png"), ("out=.", "out=faces.png"), ("columns=abc", "integer")),
        *(("columns=-3", "columns=1"), ("scale=100000", "scale=64"), ("epoch=inf", "number")),
        *(
            ("overwrite=maybe", "true or false"),
            ("seed=-1", "seed=0"),
            ("n=true", "n=true must be an integer"),
        ),
    ],
)
def test_generate_names_the_override_that_fixes_a_setting(
    call, finished: Path, override: str, fix: str
):
    stderr = call("generate", "run=a", "out=never.png", override, cwd=finished, status=2).stderr
    assert stderr.startswith("error: ") and fix in stderr and stderr.count("\n") == 1
    assert not (finished / "never.png").exists()


def test_scale_repeats_the_pixels_of_faces_sheets_and_films(call, finished: Path):
    for out, size in (("s3/", (48, 48)), ("s3.png", (102, 102)), ("s3.gif", (48, 48))):
        options = ("n=4", "frames_per_face=2", "scale=3", "columns=2", f"out={out}")
        call("generate", "run=a", *options, cwd=finished)
        path = finished / out
        with Image.open(next(path.iterdir()) if path.is_dir() else path) as picture:
            assert picture.size == size


def test_upscaling_enlarges_faces_sheets_and_films(call, finished: Path):
    """The method is named in the output."""
    for out, size in (("x4/", (64, 64)), ("x4.png", (134, 134)), ("x4.gif", (64, 64))):
        options = ("n=4", "frames_per_face=2", "upscale=4", "upscaler=lanczos", f"out={out}")
        result = call("generate", "run=a", *options, cwd=finished)
        assert "upscaled 4 times by Lanczos" in result.stderr
        path = finished / out
        with Image.open(next(path.iterdir()) if path.is_dir() else path) as picture:
            assert picture.size == size
