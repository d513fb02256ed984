"""Faces of labelled runs over HTTP."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling import sample
from anime_dcgan.studio.app import Settings, create_app
from tests.checkpoints import make_checkpoint
from tests.studio.conftest import CHANGE

LABELS = ("black", "blue", "a&b: <i>, c")
STRANGE = LABELS[2]
FACE: dict[str, Any] = {"run": "a", "epoch": "1", "seed": 7}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_checkpoint(tmp_path / "outputs/plain/checkpoints/epoch=0001.ckpt")
    return make_checkpoint(tmp_path / "outputs/a/checkpoints/epoch=0001.ckpt", labels=LABELS)


@pytest.fixture
def client(path: Path, tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(Settings(tmp_path / "outputs", tmp_path / "studio"))
    with TestClient(app, base_url="http://127.0.0.1", headers=CHANGE) as made:
        yield made


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def finished(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    for _ in range(600):
        job = client.get(f"/api/jobs/{job['id']}").json()
        if job["state"] not in ("waiting", "running"):
            assert job["state"] == "done", job
            return job
        time.sleep(0.05)
    raise AssertionError("the job did not finish")


def test_a_face_is_the_one_that_generate_draws(client: TestClient, path: Path):
    generator = load_generator(path)
    (own,) = sample.faces(generator, [7])
    (strange,) = sample.faces(generator.of_label(STRANGE), [7])
    assert client.get("/api/styles", params={"run": "a", "epoch": "1"}).json()["labels"] == [
        *LABELS
    ]
    drawn = client.get("/api/face.png", params=FACE)
    np.testing.assert_array_equal(pixels_of(drawn.content), own)
    named = client.get("/api/face.png", params={**FACE, "label": STRANGE})
    np.testing.assert_array_equal(pixels_of(named.content), strange)
    assert json.loads(Image.open(io.BytesIO(named.content)).info["anime_dcgan"])["label"] == STRANGE
    wall = client.get("/api/wall.png", params={**FACE, "label": STRANGE, "count": 1})
    assert np.abs(pixels_of(wall.content).astype(int) - strange).max() <= 4
    sheet = client.post("/api/sheet.png", json={"faces": [FACE, {**FACE, "label": STRANGE}]})
    np.testing.assert_array_equal(pixels_of(sheet.content), np.concatenate([own, strange], axis=1))


def test_labels_that_a_run_does_not_have_are_refused(client: TestClient):
    for run, label, reason in (
        ("a", "green", "label=green is not a label of this run: use one of black, blue, "),
        ("plain", "blue", "label=blue needs labels"),
    ):
        for route in ("face", "wall"):
            params = {**FACE, "run": run, "label": label}
            response = client.get(f"/api/{route}.png", params=params)
            assert response.status_code == 404
            assert reason in response.json()["detail"]
    assert client.get("/api/face.png", params={**FACE, "label": ""}).status_code == 422


def test_labels_that_no_link_can_contain_are_not_listed(client: TestClient, path: Path):
    make_checkpoint(path, labels=("blue", "\ud800", 501 * "x"))
    styles = client.get("/api/styles", params={"run": "a", "epoch": "1"})
    assert styles.json()["labels"] == ["blue"]
    assert client.get("/api/wall.png", params=FACE).is_success


def test_saved_faces_and_archives_keep_their_label(client: TestClient):
    face = {**FACE, "label": STRANGE}
    saved = client.post("/api/saved", json={"face": face, "story": "one"}).json()
    assert saved["face"]["label"] == STRANGE
    assert client.get("/api/saved/find", params=face).json()["id"] == saved["id"]
    assert client.get("/api/saved/find", params=FACE).status_code == 204
    collection = client.post("/api/collections", json={"name": "all"}).json()["id"]
    client.put(f"/api/collections/{collection}/faces/{saved['id']}")
    archive = client.get(f"/api/collections/{collection}/export").content
    client.delete(f"/api/saved/{saved['id']}")
    imported = client.post(
        "/api/collections/import", files={"file": ("collection.zip", archive)}
    ).json()
    again = client.get("/api/saved", params={"collection": imported["collection"]["id"]}).json()
    assert [one["face"]["label"] for one in again["saved"]] == [STRANGE]


def test_zips_films_and_projections_have_labels(client: TestClient, path: Path):
    (blue,) = sample.faces(load_generator(path).of_label("blue"), [3])
    request = {"run": "a", "epoch": "1", "label": "blue", "seed": 3, "count": 1}
    job = finished(client, client.post("/api/jobs/zip", json=request).json())
    with zipfile.ZipFile(io.BytesIO(client.get(job["file"]).content)) as archive:
        picture = archive.read(archive.namelist()[0])
    np.testing.assert_array_equal(pixels_of(picture), blue)
    film = {"faces": [FACE, {**FACE, "label": "blue"}], "frames_per_face": 2, "scale": 1}
    finished(client, client.post("/api/jobs/film", json=film).json())
    form = {"run": "a", "epoch": "1", "steps": "2", "label": "blue"}
    sent = client.post("/api/jobs/projection", data=form, files={"file": ("a.png", picture)})
    found = finished(client, sent.json())["face"]
    assert client.get("/api/face.png", params={k: v for k, v in found.items() if v}).is_success
    unknown = {**form, "label": "green"}
    sent = client.post("/api/jobs/projection", data=unknown, files={"file": ("a.png", picture)})
    assert sent.status_code == 404
