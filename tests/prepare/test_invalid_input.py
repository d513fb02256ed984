"""Hostile piles of pictures, and mistakes in settings."""

import os
import re
from pathlib import Path

import pytest

from anime_dcgan.data.manifest import ManifestFaces
from tests.data.pictures import encoded, make_zip, png_header
from tests.html import Page
from tests.prepare.pile import DRAWN, SOURCE, Call, error_line, list_rows, planted


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
        (["source=[pile,./pile]"], "source=.*pile.* repeats a source"),
        (["source="], "source= must be a path: use source=faces"),
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
        ([SOURCE, "out=null"], "out=null must be a path: use out=prepared"),
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
