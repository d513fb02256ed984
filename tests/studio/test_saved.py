"""Saved faces and collections over HTTP."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastapi.testclient import TestClient
from PIL import Image

from anime_dcgan.studio.app import Settings, create_app
from tests.checkpoints import make_checkpoint
from tests.studio.conftest import CHANGE

FACE = {"run": "a", "epoch": "10", "seed": 5}
LAST = {**FACE, "epoch": "last"}
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


def drawn(client: TestClient, **params: Any) -> np.ndarray:
    answer = client.get("/api/face.png", params={k: v for k, v in params.items() if v})
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)


def open_studio(outputs: Path, folder: Path) -> TestClient:
    app = create_app(Settings(outputs, folder))
    return TestClient(app, base_url="http://localhost", headers=CHANGE)


def test_a_kept_face_stays_itself_when_its_run_goes_on_and_goes(tmp_path: Path):
    last = tmp_path / "outputs/a/checkpoints/last.ckpt"
    make_checkpoint(last, seed=1, epochs=10)
    with open_studio(tmp_path / "outputs", tmp_path / "studio") as client:
        before = drawn(client, **LAST)
        saved = client.post("/api/saved", json={"face": LAST, "story": "Mio"}).json()
        assert saved["face"]["epoch"] == "10" and len(saved["face"]["digest"]) == 20
        assert client.get("/api/saved/find", params=LAST).json()["id"] == saved["id"]
        make_checkpoint(last, seed=2, epochs=11)
        assert (drawn(client, **LAST) != before).any()
        assert client.get("/api/saved/find", params=LAST).status_code == 204
        kept = saved["face"]
        assert np.abs(drawn(client, **kept) - before).max() <= 1
        shutil.rmtree(tmp_path / "outputs/a")
        assert np.abs(drawn(client, **kept) - before).max() <= 1
        child = client.post("/api/breed", json={"parents": [kept], "children": 1}).json()
        assert child["faces"][0]["digest"] == kept["digest"]
        assert np.abs(drawn(client, **child["faces"][0]) - before).max() > 1
        (generator,) = (tmp_path / "studio/generators").iterdir()
        assert generator.stat().st_size < 25_000  # one set of weights, of 16 bits
        generator.unlink()
        (found,) = client.get("/api/saved").json()["saved"]
        assert not found["drawable"]
        np.testing.assert_array_equal(drawn(client, **kept), before)  # the stored picture
        answer = client.post("/api/breed", json={"parents": [kept], "children": 1})
        assert answer.status_code == 404 and "generator of this face is gone" in answer.text
        changed = client.post("/api/saved", json={"face": kept, "story": "still here"})
        assert changed.json()["story"] == "still here"


def test_a_generator_that_16_bits_change_is_stored_in_32(tmp_path: Path):
    path = make_checkpoint(tmp_path / "outputs/a/checkpoints/epoch=0010.ckpt")
    contents = torch.load(path)
    contents["state_dict"]["generator_ema.project.weight"][0, 0] = 1e5  # beyond 16 bits
    torch.save(contents, path)
    with open_studio(tmp_path / "outputs", tmp_path / "studio") as client:
        saved = client.post("/api/saved", json={"face": FACE}).json()
        before = drawn(client, **saved["face"])
        path.unlink()
        np.testing.assert_array_equal(drawn(client, **saved["face"]), before)


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


def test_an_imported_face_is_never_that_of_another_run_of_the_same_name(tmp_path: Path):
    make_checkpoint(tmp_path / "here/a/checkpoints/epoch=0010.ckpt", seed=1, epochs=10)
    make_checkpoint(tmp_path / "there/a/checkpoints/epoch=0010.ckpt", seed=2, epochs=10)
    with open_studio(tmp_path / "here", tmp_path / "studio") as client:
        saved = client.post("/api/saved", json={"face": FACE, "name": "Mio"}).json()
        made = client.post("/api/collections", json={"name": "heroes"}).json()["id"]
        client.put(f"/api/collections/{made}/faces/{saved['id']}")
        url = f"/api/collections/{made}/export"
        plain, whole = (client.get(url, params={"generators": g}).content for g in (False, True))
        before = drawn(client, **saved["face"])
    with open_studio(tmp_path / "there", tmp_path / "elsewhere") as client:
        assert (drawn(client, **FACE) != before).any()
        client.post("/api/collections/import", files={"file": plain})
        (found,) = client.get("/api/saved").json()["saved"]
        assert found["name"] == "Mio" and not found["drawable"]
        np.testing.assert_array_equal(drawn(client, **found["face"]), before)
        digest = found["face"]["digest"]
        answer = client.post("/api/collections/import", files={"file": with_other(whole, digest)})
        assert answer.status_code == 400 and f"generator {digest}" in answer.text
        assert client.post("/api/collections/import", files={"file": whole}).status_code == 201
        (found,) = client.get("/api/saved").json()["saved"]
        assert found["drawable"]
        body = {"parents": [found["face"]], "children": 1}
        assert client.post("/api/breed", json=body).status_code == 200


def with_other(content: bytes, digest: str) -> bytes:
    """Return an archive whose generator has other weights than its digest says."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == f"generators/{digest}.pt":
                contents = torch.load(io.BytesIO(data))
                next(iter(contents["state_dict"].values())).add_(1)
                file = io.BytesIO()
                torch.save(contents, file)
                data = file.getvalue()
            target.writestr(name, data)
    return changed.getvalue()
