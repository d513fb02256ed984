"""`prepare` end to end: from piles with planted faults to a training."""

import csv
import errno
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image, ImageFilter

from anime_dcgan.cleaning import outliers, scan
from anime_dcgan.cleaning.judgement import Thresholds
from anime_dcgan.cli.command import instantiate
from anime_dcgan.cli.signatures import check_settings
from anime_dcgan.data import hub
from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.data.faces import open_faces
from anime_dcgan.data.hub_repository import ArchiveInfo
from anime_dcgan.data.manifest import ManifestFaces
from anime_dcgan.system.paths import CONF_DIR
from tests.conftest import NARROW, SMALL, Result
from tests.data.pictures import encoded, make_zip, png_header
from tests.html import Page
from tests.page.test_review import data_of

Call = Callable[..., Result]
Row = dict[str, str]

SLOW_SCAN = """
import time
from anime_dcgan.cleaning import outliers
from anime_dcgan.cleaning import scan

scan.CHUNK = 8
outliers.features = lambda faces: outliers._shape(outliers.luminance(faces))
measure_pictures = scan.measure_pictures

def slow(pictures, finder, model, indices):
    if indices.start >= 32:
        time.sleep(60)
    return measure_pictures(pictures, finder, model, indices)

scan.measure_pictures = slow  # also in the workers, which import this file

if __name__ == "__main__":
    from anime_dcgan.prepare import main
    main()
"""

WITHOUT_TORCH = """
import sys
from anime_dcgan.prepare import main
main()
assert not {"torch", "lightning", "torchvision"} & sys.modules.keys()
"""

DRAWN = DrawnFaces(60, seed=3)
FACES = [f"{number:03d}.png" for number in range(60)]
COPIES = {"jpeg.jpg": "001.png", "mirrored.png": "002.png"}
FAULTS = {
    "blurred.png": "blurred",
    "noise.png": "outlier",
    "flat.png": "flat",
    "tiny.png": "small",
    "truncated.jpg": "unreadable: image file is truncated",
}


def planted() -> dict[str, bytes]:
    """Return pictures with one fault each, by name."""
    strangers = DrawnFaces(3, seed=9)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return {
        "jpeg.jpg": encoded(DRAWN.read(1, 64), "JPEG", quality=70),
        "mirrored.png": encoded(DRAWN.read(2, 64).transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        "blurred.png": encoded(strangers.read(0, 64).filter(ImageFilter.GaussianBlur(2))),
        "noise.png": encoded(Image.fromarray(noise)),
        "flat.png": encoded(Image.new("RGB", (64, 64), (200, 120, 90))),
        "tiny.png": encoded(strangers.read(1, 20)),
        "truncated.jpg": encoded(strangers.read(2, 64), "JPEG", quality=95)[:900],
    }


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the features of the outlier model in this process; its own tests use them all."""
    monkeypatch.setattr(
        outliers, "features", lambda faces: outliers._shape(outliers.luminance(faces))
    )


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with pile/ and more.zip: 60 faces, a duplicate of one, and `planted`.

    Everything else in it is unusable.
    """
    location = tmp_path_factory.mktemp("pile")
    faces = {name: encoded(DRAWN.read(number, 64)) for number, name in enumerate(FACES)}
    (location / "pile/deep").mkdir(parents=True)
    for name in FACES[:40]:
        (location / "pile" / name).write_bytes(faces[name])
    for name, data in planted().items():
        (location / "pile/deep" / name).write_bytes(data)
    in_zip = {name: faces[name] for name in FACES[40:]} | {"again/000.png": faces[FACES[0]]}
    make_zip(location / "more.zip", in_zip)
    for name in ("empty", "bad"):
        (location / name).mkdir()
    for name in ("text.txt", "broken.zip", "bad/a.png", "bad/b.png"):
        (location / name).write_text("not a picture")
    return location


SOURCE = "source=[pile,more.zip]"


def run_python(*argv: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *argv],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CONF_DIR.parent)},
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def output(pile: Path) -> str:
    """The output of the command for the pile; the results are in prepared/."""
    process = run_python("-c", WITHOUT_TORCH, SOURCE, "workers=2", "holdout=0.2", cwd=pile)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == ""
    return err


@pytest.fixture
def prepared(pile: Path, output: str, tmp_path: Path) -> Path:
    """A copy of the results of that run, for out=..."""
    return shutil.copytree(pile / "prepared", tmp_path / "prepared")


def rows_of(out: Path) -> dict[str, Row]:
    """Return the rows of a manifest by name of the picture, read independently."""
    rows = list_rows(out)
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row for row in rows}


def list_rows(out: Path) -> list[Row]:
    path = out / "manifest.csv"
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def reasons(row: Row) -> set[str]:
    return set(row["reason"].split(", ")) - {""}


def test_the_manifest_has_a_row_for_each_picture_in_order(pile: Path, output: str):
    rows = rows_of(pile / "prepared")
    deep = [f"deep/{name}" for name in sorted(planted())]
    assert list(rows) == [*FACES[:40], *deep, *FACES[40:], "again/000.png"]
    for name, row in rows.items():
        assert row["source"] == str(pile / ("pile" if name in [*FACES[:40], *deep] else "more.zip"))
        assert row["region"] == ""
        assert (row["split"] in ("train", "holdout")) == (row["verdict"] == "keep")
        assert (row["verdict"] == "keep") == (row["reason"] == "")
        assert (row["duplicate_of"] == "") == (row["distance"] == "")


def test_each_planted_fault_is_a_reason(pile: Path, output: str):
    rows = rows_of(pile / "prepared")
    for name, reason in FAULTS.items():
        assert rows[f"deep/{name}"]["verdict"] == "drop"
        assert reason in rows[f"deep/{name}"]["reason"]
    for name, original in COPIES.items():
        one, other = rows[f"deep/{name}"], rows[original]
        (duplicate,) = (row for row in (one, other) if "near-duplicate" in reasons(row))
        kept = other if duplicate is one else one
        assert (duplicate["duplicate_of"], kept["duplicate_of"]) == (kept["name"], "")
        assert float(duplicate["distance"]) <= 0.03
    one, other = rows["again/000.png"], rows["000.png"]
    assert one["pixels"] == other["pixels"]
    assert ("duplicate" in reasons(one)) != ("duplicate" in reasons(other))
    assert {one["duplicate_of"], other["duplicate_of"]} in ({"", "000.png"}, {"", "again/000.png"})


def test_the_faces_are_kept(pile: Path, output: str):
    rows = rows_of(pile / "prepared")
    for name in set(FACES) - {"000.png", *COPIES.values()}:
        assert reasons(rows[name]) <= {"outlier"}  # some of so few faces are unusual
        assert (rows[name]["width"], rows[name]["height"]) == ("64", "64")
    assert sum(rows[name]["verdict"] == "keep" for name in FACES) >= 45


def test_the_printed_counts_agree_with_the_manifest(pile: Path, output: str):
    rows = rows_of(pile / "prepared").values()
    first = Counter(re.split("[,:]", row["reason"])[0] for row in rows)
    split = Counter(row["split"] for row in rows)
    renamed = {"duplicate": "exact duplicates", "near-duplicate": "near-duplicates"}
    expected = {
        "all": 68,
        **{renamed.get(reason, reason): count for reason, count in first.items() if reason},
        "kept for training": split["train"],
        "held out": split["holdout"],
    }
    printed = {
        name: int(count) for count, name in re.findall(r"^ +(\d+)  (.*)$", output, re.MULTILINE)
    }
    assert printed == expected
    assert 2 <= split["holdout"] <= 25
    record = json.loads((pile / "prepared/prepared.json").read_text())
    assert record["counts"] == expected
    assert record["sources"] == [str(pile / "pile"), str(pile / "more.zip")]
    assert record["settings"]["holdout"] == 0.2


def test_the_page_shows_the_suspects(pile: Path, output: str):
    assert "review    prepared/review.html: open it in a browser" in output
    page = Page(pile / "prepared/review.html")
    assert "pile and more.zip" in page.text
    assert "truncated.jpg: image file is truncated" in page.text
    shown = {
        suspect["name"] for reason in data_of(page)["reasons"] for suspect in reason["suspects"]
    }
    assert {"deep/blurred.png", "deep/noise.png", "deep/flat.png", "deep/tiny.png"} <= shown


def command_after(label: str, output: str) -> list[str]:
    """Return the overrides of the command that is printed after a label."""
    (line,) = (line for line in output.splitlines() if line.startswith(label))
    argv = shlex.split(line.removeprefix(label))
    assert argv[:2] == ["python", "-m"]
    return argv[3:]


def test_the_printed_command_trains_on_the_kept_faces(
    call: Call, pile: Path, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trained: list[np.ndarray] = []

    class Noted(FaceBatches):
        def __init__(self, images: np.ndarray, rows: np.ndarray, *settings: Any) -> None:
            trained.append(images[rows])
            super().__init__(images, rows, *settings)

    monkeypatch.setattr("anime_dcgan.data.datamodule.FaceBatches", Noted)
    small = [*SMALL, *NARROW["dcgan"]]
    small = [word for word in small if not word.startswith(("data.count", "data.holdout"))]
    call(
        "train",
        *(*command_after("Train:", output), *small, "data.image_size=64", "trainer.max_epochs=1"),
        *("metric=none", "run=a", f"data.cache_dir={tmp_path}", "callbacks.samples.count=4"),
        cwd=pile,
    )
    assert (pile / "outputs/a/checkpoints/last.ckpt").exists()
    faces = ManifestFaces(pile / "prepared/manifest.csv")
    opened = open_faces(faces, 64, None, 0, tmp_path)
    for split, images in (
        ("train", trained[0]),
        ("holdout", opened.images[opened.holdout_rows]),
    ):
        names = [name for name, row in rows_of(pile / "prepared").items() if row["split"] == split]
        assert len(names) == len(images)
        assert {pixels(pile, name) for name in names} == {image.tobytes() for image in images}


def pixels(pile: Path, name: str) -> bytes:
    """Decode a picture of 64 px independently."""
    with zipfile.ZipFile(pile / "more.zip") as archive:
        inside = name in archive.namelist()
        data = archive.read(name) if inside else (pile / "pile" / name).read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB").tobytes()


def test_the_same_command_measures_no_picture_again(
    call: Call, pile: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
):
    before = (prepared / "manifest.csv").read_bytes()
    monkeypatch.setattr(scan, "measure_pictures", None)  # would raise
    monkeypatch.setattr(scan, "_read_sample", None)
    again = call("prepare", SOURCE, "holdout=0.2", f"out={prepared}", cwd=pile)
    assert (prepared / "manifest.csv").read_bytes() == before
    assert "scanning" not in again.stderr
    milder = ("thresholds.blurred=null", "thresholds.outlier=null")
    call("prepare", SOURCE, *milder, f"out={prepared}", cwd=pile)
    assert rows_of(prepared)["deep/blurred.png"]["verdict"] == "keep"


def test_a_new_picture_in_the_pile_is_scanned(call: Call, tmp_path: Path):
    (tmp_path / "faces").mkdir()
    for number in (1, 0):
        DRAWN.read(number, 64).save(tmp_path / "faces" / FACES[number])
        call("prepare", "source=faces", "thresholds.outlier=null", cwd=tmp_path)
        assert list(rows_of(tmp_path / "prepared")) == FACES[number:2]


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


def error_line(result: Result) -> str:
    """Return the single error message of a command, of at most two lines."""
    assert "Traceback" not in result.stderr
    (_, message) = result.stderr.split("error: ")
    assert len(message.splitlines()) <= 2
    return message


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ('{"choices": {"a": "ke', "review.json is not valid JSON"),
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


STOPPED = (SOURCE, "holdout=0.2")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the pictures that this process measures, in chunks of 8."""
    numbers: list[int] = []
    measure_pictures = scan.measure_pictures

    def noted(pictures: Any, finder: Any, model: Any, indices: range) -> scan.ScanChunk:
        numbers.extend(indices)
        return measure_pictures(pictures, finder, model, indices)

    monkeypatch.setattr(scan, "CHUNK", 8)
    monkeypatch.setattr(scan, "measure_pictures", noted)
    return numbers


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_killed_scans_resume_to_the_same_manifest(
    call: Call, pile: Path, tmp_path: Path, measured: list[int], number: int
):
    (tmp_path / "slow.py").write_text(SLOW_SCAN)
    out, complete = tmp_path / "stopped", pile / "complete"
    process = run_python(
        *(str(tmp_path / "slow.py"), *STOPPED, f"out={out}", "workers=2"), cwd=pile
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("scan/*/chunk-*"))) < 4:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # like a terminal, which interrupts the workers as well
    else:
        process.kill()
    _, err = process.communicate(timeout=20)  # returns once the workers have exited, too
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert err.splitlines()[-1] == "stopped"
        assert "Traceback" not in err
    assert not (out / "manifest.csv").exists()
    call("prepare", *STOPPED, f"out={out}", "workers=1", cwd=pile)
    assert measured == list(range(32, 68))
    if not complete.exists():
        call("prepare", *STOPPED, "out=complete", "workers=1", cwd=pile)
        assert measured[36:] == list(range(68))
    assert contents(out) == contents(complete)


def contents(out: Path) -> dict[str, bytes]:
    """Return the contents of the manifest and of all chunks by path; all of them are complete."""
    files = [out / "manifest.csv", *out.glob("scan/*/chunk-*/*")]
    assert len(files) == 1 + 9 * 3
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def raise_disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def raise_forbidden(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_full_disk_during_the_scan_is_reported_and_the_scan_resumes(
    call: Call, pile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = (SOURCE, f"out={tmp_path / 'out'}", "workers=1")
    with monkeypatch.context() as context:
        context.setattr("anime_dcgan.cleaning.scan.np.save", raise_disk_full)
        line = error_line(call("prepare", *settings, cwd=pile, status=2))
    assert "No space left on device" in line and "out=..." in line
    call("prepare", *settings, cwd=pile)
    assert len(rows_of(tmp_path / "out")) == 68


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_at_the_end_leaves_the_previous_manifest(
    call: Call, pile: Path, prepared: Path
):
    before = (prepared / "manifest.csv").read_bytes()
    writer = f"{os.getpid()}.{threading.get_ident()}"
    (prepared / f".partial.{writer}-manifest.csv").symlink_to("/dev/full")
    settings = (SOURCE, f"out={prepared}", "thresholds.outlier=null")
    line = error_line(call("prepare", *settings, cwd=pile, status=2))
    assert line.startswith(f"out={prepared} cannot be used (No space left on device)")
    assert (prepared / "manifest.csv").read_bytes() == before


@pytest.mark.parametrize("function", ["mkdir", "is_file", "exists"])
def test_a_folder_without_permissions_is_reported(
    call: Call, pile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
):
    before = getattr(Path, function)

    def shut(path: Path, *argv: object, **settings: object) -> object:
        return (raise_forbidden if "shut" in path.parts else before)(path, *argv, **settings)

    monkeypatch.setattr(Path, function, shut)
    result = call("prepare", SOURCE, f"out={tmp_path / 'shut'}", cwd=pile, status=2)
    assert "Permission denied" in error_line(result)
    assert "out=" in result.stderr


def hostile_faces() -> dict[str, bytes]:
    """Return good faces under names that break careless code."""
    names = [
        *("顔/アニメ.png", "лицо.png", "وجه.png", "=1+1.png", "-x.png", '"a", b.png'),
        *(
            "a\nb.png",
            "<img src=x onerror=alert(1)>.png",
            "{data.path}.png",
            "%s.png",
            os.fsdecode(b"\xff\xfe.png"),
        ),
    ]
    return {name: encoded(DRAWN.read(20 + index, 64)) for index, name in enumerate(names)}


DAMAGED = {
    "empty.png": (b"", "not a picture in a known format"),
    "text.jpg": (b"This is not a picture.", "not a picture in a known format"),
    "bomb.png": (png_header(9_000, 9_000), "is more than the limit"),
    "large bomb.png": (png_header(100_000, 100_000), "exceeds limit"),
    "truncated.jpg": (planted()["truncated.jpg"], "truncated"),
    "headless.png": (encoded(DRAWN.read(50, 64))[200:], "not a picture in a known format"),
}


def make_hostile(location: Path) -> None:
    """Write a folder `in` and an archive in.zip."""
    outside = encoded(DRAWN.read(51, 64))
    damaged = {name: data for name, (data, _) in DAMAGED.items()}
    make_zip(location / "in.zip", {"../outside.png": outside, "/absolute.png": outside, **damaged})
    folder = location / "in"
    for name, data in {**hostile_faces(), **damaged}.items():
        inside = folder / name
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_bytes(data)
    (folder / "loop").symlink_to(folder)
    (folder / "self.png").symlink_to("self.png")
    (folder / "nowhere.png").symlink_to("missing.png")
    os.mkfifo(folder / "pipe.png")


def test_a_hostile_pile_is_prepared_with_reasons(call: Call, tmp_path: Path):
    make_hostile(tmp_path)
    settings = ("source=[in,in.zip]", "thresholds.outlier=null", "workers=1")
    printed = call("prepare", *settings, cwd=tmp_path).stderr
    rows = list_rows(tmp_path / "prepared")
    in_folder = hostile_faces().keys() | DAMAGED.keys()
    in_zip = {"../outside.png", "/absolute.png"} | DAMAGED.keys()
    tame = {"=1+1.png": "./=1+1.png", "-x.png": "./-x.png"}
    for source, names in (("in", in_folder), ("in.zip", in_zip)):
        listed = [row for row in rows if row["source"] == str(tmp_path / source)]
        assert [row["name"] for row in listed] == [tame.get(name, name) for name in sorted(names)]
        for row in listed:
            if row["name"] in DAMAGED:
                assert row["verdict"] == "drop"
                assert row["reason"].startswith("unreadable: ")
                assert DAMAGED[row["name"]][1] in row["reason"]
    assert len(rows) == len(in_folder) + len(in_zip)
    assert sum(row["verdict"] == "keep" for row in rows) == 12  # one of the two in the archive
    assert f"{len(rows)}  all" in printed and "12  unreadable" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"in", "in.zip", "prepared"}
    faces = ManifestFaces(tmp_path / "prepared/manifest.csv")
    assert all(faces.read(index, 64).size == (64, 64) for index in range(12))
    page = Page(tmp_path / "prepared/review.html")
    assert "bomb.png: 9000 x 9000 px is more than the limit" in page.text
    assert len(page.all("script")) == 2


def test_a_folder_that_cannot_be_listed_is_named(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "in/shut").mkdir(parents=True)
    listed = os.scandir

    def shut(path: Path) -> object:
        return raise_forbidden() if path.name == "shut" else listed(path)

    monkeypatch.setattr("os.scandir", shut)
    line = error_line(call("prepare", "source=in", cwd=tmp_path, status=2))
    shut_folder = tmp_path / "in/shut"
    assert line == f"{shut_folder} cannot be listed (Permission denied): make it readable\n"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "prepare needs one source: add source=FOLDER"),
        ([SOURCE, "data=anime_faces"], "prepare needs one source: add source=FOLDER"),
        (["source=empty"], "source=.*empty holds no pictures"),
        (
            ["source=[pile,nowhere]"],
            r"source=.*nowhere cannot be used \(No such file or directory\): use a folder",
        ),
        (["source=text.txt"], "source=.*text.txt is neither a folder nor a supported archive"),
        (["source=broken.zip"], "source=.*broken.zip is a broken archive"),
        (["source=[pile,./pile]"], "source=.*pile.* is empty or repeats a source"),
        (["source="], "source=.* is empty or repeats a source"),
        (["source=bad"], "none of 2 pictures of .*bad has a readable face"),
        (["data=drawn"], "data= must be a public data set"),
        ([SOURCE, "holdout=2"], r"holdout=2 must be a number in \[0, 1\): use holdout=0.05"),
        ([SOURCE, "holdout=a"], "holdout=a must be a number"),
        ([SOURCE, "thresholds.blurred=-1"], "thresholds.blurred=-1 is negative"),
        (
            [SOURCE, "+thresholds.typo=1"],
            "thresholds.typo is not a setting of Thresholds: remove it with ~thresholds.typo",
        ),
        ([SOURCE, "thresholds=null"], "thresholds=null has no tests"),
        ([SOURCE, "workers=-1"], "workers=-1 must be at least 1"),
        ([SOURCE, "workers=0"], "workers=0 must be at least 1: use workers=1"),
        ([SOURCE, "workers=many"], "workers=many must be an integer"),
        ([SOURCE, "seed=1.5"], "seed=1.5 must be an integer"),
        ([SOURCE, "page.limit=null"], "page.limit=null must be an integer: use page.limit=1000"),
        ([SOURCE, "out=text.txt"], "out=text.txt is not a folder"),
        ([SOURCE, "out=null"], "out=None is not a folder"),
        ([SOURCE, "out=/proc/below"], "/proc/below.* cannot be written .*out="),
        ([SOURCE, "thresholds.dark=255"], "none of 68 pictures is kept: use milder"),
    ],
)
def test_mistakes_are_reported_in_a_line(
    call: Call, pile: Path, output: str, overrides: list[str], message: str
):
    assert re.match(message, error_line(call("prepare", *overrides, cwd=pile, status=2)))


def test_an_unknown_threshold_is_named(call: Call, pile: Path):
    result = call("prepare", SOURCE, "thresholds.typo=1", cwd=pile, status=2)
    assert "thresholds.typo is not a setting" in result.stderr
    assert "Traceback" not in result.stderr


def test_printed_paths_with_spaces_and_quotes_can_be_pasted(call: Call, tmp_path: Path):
    location = tmp_path / 'my 顔, it\'s "mine" (1)'
    (location / "faces").mkdir(parents=True)
    for number in range(3):
        DRAWN.read(number, 64).save(location / "faces" / FACES[number])
    settings = (f"source={quoted(location / 'faces')}", f"out={quoted(location / 'out')}")
    printed = call("prepare", *settings, "thresholds.outlier=null", cwd=tmp_path).stderr
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = compose("train", [*command_after("Train:", printed), "run_dir=x"])
    assert len(instantiate(config.data.source)) == 3


def quoted(path: Path) -> str:
    """Quote a path for Hydra's grammar."""
    escaped = str(path).replace('"', '\\"')
    return f'"{escaped}"'


def test_a_public_set_is_prepared_in_its_download_folder(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The download itself is tested in test_hub.py."""
    archive_info = ArchiveInfo("0" * 40, "data.zip", 1, "0" * 64)
    faces = {
        f"{location}/{FACES[0]}": encoded(DRAWN.read(0, 64)) for location in ("images", "again")
    }
    archive = make_zip(archive_info.path(tmp_path), faces | {"b.png": encoded(DRAWN.read(1, 64))})
    monkeypatch.setattr(
        hub, "fetch_archive", lambda repository, cache_dir: (tmp_path, archive_info)
    )
    call("prepare", "data=anime_faces", "thresholds.outlier=null", cwd=tmp_path)
    rows = rows_of(tmp_path / "prepared")
    assert list(rows) == ["again/000.png", "b.png"]
    assert {(row["source"], row["verdict"]) for row in rows.values()} == {(str(archive), "keep")}
    assert len(ManifestFaces(tmp_path / "prepared/manifest.csv")) == 2


def compose_prepare(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("prepare", list(overrides))


@pytest.mark.parametrize("group", ["data", "crop"])
def test_every_option_of_a_group_composes_with_prepare(group: str):
    for path in (CONF_DIR / group).glob("*.yaml"):
        if path.stem != "base":
            check_settings(compose_prepare(f"{group}={path.stem}"))


def test_the_thresholds_of_the_configuration_are_the_defaults():
    assert instantiate(compose_prepare().thresholds) == Thresholds()
