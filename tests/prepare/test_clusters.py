"""Clusters and a person's own columns in the manifest of `prepare`."""

import csv
from pathlib import Path

from anime_dcgan.data.labels import read_labels
from anime_dcgan.data.manifest import ManifestFaces
from tests.data.pictures import encoded
from tests.prepare.pile import DRAWN, Call, Row, error_line, list_rows

SETTINGS = ("source=faces", "workers=1", "thresholds.outlier=null")


def save(folder: Path, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{number:02d}.png").write_bytes(encoded(DRAWN.read(number, 64)))


def edit(out: Path, rows: list[Row]) -> None:
    with (out / "manifest.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_clusters_are_classes_that_a_person_may_rename(call: Call, tmp_path: Path):
    save(tmp_path / "faces", range(30))
    out = tmp_path / "prepared"
    printed = call("prepare", *SETTINGS, "clusters=3", cwd=tmp_path).stderr
    assert "data.labels=clusters" in printed
    assert "name them in the manifest's column cluster" in printed
    first = list_rows(out)
    assert {row["cluster"] for row in first} == {"cluster-01", "cluster-02", "cluster-03"}
    assert len(list((out / "clusters").glob("*.png"))) == 3
    call("prepare", *SETTINGS, "clusters=3", cwd=tmp_path)
    assert list_rows(out) == first  # the same seed
    edit(out, [{**row, "cluster": row["cluster"].replace("cluster-02", "=the, \"blue\" ones"),
                "mine": row["name"][:1]} for row in first])  # fmt: skip
    save(tmp_path / "faces", range(30, 40))
    call("prepare", *SETTINGS, "clusters=3", cwd=tmp_path)
    names = {"cluster-01", '=the, "blue" ones', "cluster-03"}
    rows = list_rows(out)
    assert [(row["mine"], row["cluster"] in names) for row in rows] == [
        *[(f"{number:02d}"[0], True) for number in range(30)],
        *[("", True)] * 10,
    ]
    faces = ManifestFaces(out / "manifest.csv")
    assert set(read_labels(faces, "clusters").names) == names
    before = {row["name"]: row["cluster"] for row in rows}
    call("prepare", *SETTINGS, cwd=tmp_path)  # without clusters
    assert {row["name"]: row["cluster"] for row in list_rows(out)} == before
    call("prepare", *SETTINGS, "clusters=2", cwd=tmp_path)
    rows = list_rows(out)
    assert {row["cluster"] for row in rows} == {"cluster-01", "cluster-02"}
    assert rows[29]["mine"] == "2"


def test_a_file_that_may_hold_classes_is_not_replaced(call: Call, tmp_path: Path):
    save(tmp_path / "faces", range(3))
    (tmp_path / "prepared").mkdir()
    (tmp_path / "prepared/manifest.csv").write_text("source;name;hair\na;b;red\n")
    message = error_line(call("prepare", *SETTINGS, cwd=tmp_path, status=2))
    assert "it may hold classes of yours, and would be replaced" in message
    assert "red" in (tmp_path / "prepared/manifest.csv").read_text()


def test_too_many_clusters_are_refused(call: Call, tmp_path: Path):
    save(tmp_path / "faces", range(8))
    message = error_line(call("prepare", *SETTINGS, "clusters=9", cwd=tmp_path, status=2))
    assert "clusters=9 of" in message and "use clusters=2, or more pictures" in message
    assert not (tmp_path / "prepared/manifest.csv").exists()
    message = error_line(call("prepare", *SETTINGS, "clusters=1", cwd=tmp_path, status=2))
    assert "clusters=1 must be at least 2: use clusters=12" in message
