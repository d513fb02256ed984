"""The results of `prepare`: manifest, counts, review page, and a training."""

import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image

from anime_dcgan.cleaning import scan
from anime_dcgan.cleaning.judgement import Thresholds
from anime_dcgan.cli.command import instantiate
from anime_dcgan.cli.signatures import check_settings
from anime_dcgan.data import hub
from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.data.faces import open_faces
from anime_dcgan.data.hub_repository import ArchiveInfo
from anime_dcgan.data.manifest import ManifestFaces
from anime_dcgan.system.paths import CONF_DIR
from tests.conftest import NARROW, SMALL
from tests.data.pictures import encoded, make_zip
from tests.html import Page
from tests.page.test_review import data_of
from tests.prepare.pile import (
    COPIES,
    DRAWN,
    FACES,
    FAULTS,
    SOURCE,
    Call,
    command_after,
    planted,
    reasons,
    rows_of,
)


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
    monkeypatch.setattr(hub, "fetch_archive", lambda *_: (tmp_path, archive_info))
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
