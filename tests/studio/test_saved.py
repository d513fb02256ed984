"""Saved faces and collections over HTTP."""

import io
import zipfile
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image

from anime_dcgan.studio.app import Settings, create_app
from tests.checkpoints import make_checkpoint
from tests.studio.conftest import CHANGE

FACE = {"run": "a", "epoch": "10", "seed": 5}
OTHER = {**FACE, "seed": 9}


def test_keeping_a_face_again_updates_only_the_given_values(client: TestClient):
    first = client.post("/api/saved", json={"face": FACE, "story": "a queen"}).json()
    again = client.post("/api/saved", json={"face": FACE, "favourite": True}).json()
    assert first["id"] == again["id"] and again["story"] == "a queen" and again["favourite"]
    assert client.get("/api/saved/find", params=FACE).json()["id"] == first["id"]
    assert client.get("/api/saved/find", params=OTHER).status_code == 204
    changed = client.patch(f"/api/saved/{first['id']}", json={"story": "a king"}).json()
    assert changed["story"] == "a king" and changed["favourite"]
    found = client.get("/api/saved", params={"text": "KING", "favourite": True}).json()
    assert [one["id"] for one in found["saved"]] == [first["id"]] and not found["more"]
    assert client.delete(f"/api/saved/{first['id']}").status_code == 204
    assert client.get(f"/api/saved/{first['id']}").status_code == 404


def test_a_family_contains_all_ancestors(client: TestClient):
    body = {"parents": [FACE, OTHER], "children": 1}
    (child,) = client.post("/api/breed", json=body).json()["faces"]
    parents = [{"face": FACE, "share": 0.6}, {"face": OTHER, "share": 0.4}]
    saved = client.post(
        "/api/saved", json={"face": child, "how": "breed", "parents": parents}
    ).json()
    (grandchild,) = client.post("/api/breed", json={"parents": [child], "children": 1}).json()[
        "faces"
    ]
    youngest = client.post(
        "/api/saved", json={"face": grandchild, "how": "breed", "parents": [{"face": child}]}
    ).json()
    family = client.get(f"/api/saved/{youngest['id']}/family").json()
    assert len(family["nodes"]) == 4 and len(family["edges"]) == 3
    assert {edge["child"] for edge in family["edges"]} == {saved["id"], youngest["id"]}
    assert len(client.get("/api/saved").json()["saved"]) == 4
    client.delete(f"/api/saved/{saved['id']}")
    family = client.get(f"/api/saved/{youngest['id']}/family").json()
    assert len(family["nodes"]) == 4  # a removed face stays an ancestor


def test_a_stored_picture_outlives_its_checkpoint(tmp_path: Path):
    path = make_checkpoint(tmp_path / "outputs/a/checkpoints/epoch=0010.ckpt")
    app = create_app(Settings(tmp_path / "outputs", tmp_path / "studio"))
    with TestClient(app, base_url="http://localhost", headers=CHANGE) as client:
        drawn = client.get("/api/face.png", params=FACE).content
        saved = client.post("/api/saved", json={"face": FACE}).json()
        path.unlink()
        assert client.get("/api/face.png", params=FACE).status_code == 404
        thumb = client.get(f"/api/saved/{saved['id']}/thumb.png").content
        np.testing.assert_array_equal(Image.open(io.BytesIO(thumb)), Image.open(io.BytesIO(drawn)))
        answer = client.post("/api/saved", json={"face": FACE, "story": "still here"})
        assert answer.json()["story"] == "still here"


def test_deleting_a_collection_keeps_its_faces(client: TestClient):
    saved = client.post("/api/saved", json={"face": FACE}).json()["id"]
    made = client.post("/api/collections", json={"name": "heroes"}).json()
    url = f"/api/collections/{made['id']}"
    for _ in range(2):
        assert client.put(f"{url}/faces/{saved}").status_code == 204
    assert client.patch(url, json={"name": "villains"}).json()["name"] == "villains"
    assert client.get("/api/collections").json()["collections"][0]["count"] == 1
    assert client.get("/api/saved", params={"collection": made["id"]}).json()["saved"]
    assert client.put(f"{url}/faces/{saved + 99}").status_code == 404
    assert client.delete(f"{url}/faces/{saved}").status_code == 204
    assert not client.get("/api/saved", params={"collection": made["id"]}).json()["saved"]
    assert client.delete(url).status_code == 204 and client.delete(url).status_code == 404
    assert client.get(f"/api/saved/{saved}").status_code == 200


def test_a_collection_can_be_exported_and_imported(
    client: TestClient, outputs: Path, tmp_path: Path
):
    parents = [{"face": OTHER, "share": 1.0}]
    body = {"face": FACE, "story": "far from home", "how": "edit", "parents": parents}
    saved = client.post("/api/saved", json=body).json()["id"]
    made = client.post("/api/collections", json={"name": "heroes"}).json()["id"]
    client.put(f"/api/collections/{made}/faces/{saved}")
    answer = client.get(f"/api/collections/{made}/export")
    assert len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == 3
    app = create_app(Settings(outputs, tmp_path / "elsewhere"))
    with TestClient(app, base_url="http://localhost", headers=CHANGE) as other:
        for added in (1, 0):
            result = other.post("/api/collections/import", files={"file": answer.content}).json()
            assert (result["added"], result["existing"]) == (added, 1 - added)
        (face,) = other.get("/api/saved", params={"text": "home"}).json()["saved"]
        assert face["parents"] and face["how"] == "edit" and len(face["collections"]) == 2
    broken = client.post("/api/collections/import", files={"file": answer.content[:-30]})
    assert broken.status_code == 400 and broken.json()["detail"]
    assert client.get("/api/collections/99/export").status_code == 404
