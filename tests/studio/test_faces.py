"""Rendering faces over HTTP: the same link always gives the same picture."""

import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from anime_dcgan.explore.face import Face
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling import sample, upscale
from anime_dcgan.studio.app import Settings, create_app
from tests.checkpoints import make_checkpoint, make_style_checkpoint
from tests.studio.conftest import CHANGE

FACE = {"run": "a", "epoch": "10", "seed": 5}


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def one(client: TestClient, **changes: Any) -> np.ndarray:
    params = {key: value for key, value in {**FACE, **changes}.items() if value is not None}
    answer = client.get("/api/face.png", params=params)
    assert answer.status_code == 200, answer.text
    return pixels(answer.content)


def test_a_wall_matches_generate(client: TestClient, outputs: Path):
    generator = load_generator(outputs / "a/checkpoints/epoch=0010.ckpt")
    expected = np.stack(list(sample.faces(generator, range(3, 13))))
    answer = client.get("/api/wall.png", params={**FACE, "seed": 3, "count": 10, "columns": 4})
    wall = pixels(answer.content)
    assert wall.shape == (3 * 16, 4 * 16, 3)
    for number, face in enumerate(expected):
        top, left = 16 * (number // 4), 16 * (number % 4)
        shown = wall[top : top + 16, left : left + 16]
        np.testing.assert_allclose(shown, face.astype(float), atol=4)  # bf16 on some processors
    assert not wall[32:, 32:].any()


def test_a_face_is_upscaled_by_the_network_that_the_state_names(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    for is_installed, name in ((True, "Real-CUGAN"), (False, None)):
        monkeypatch.setattr(upscale, "_has_realcugan", lambda found=is_installed: found)
        monkeypatch.setattr(upscale, "_realcugan", lambda face, factor: face.repeat(factor, 0))
        assert client.get("/api/state").json()["upscaler"] == name
        assert one(client, upscale=4).shape == (64, 16 if is_installed else 64, 3)
    answer = client.get("/api/face.png", params={**FACE, "upscale": 4, "scale": 8})
    assert answer.status_code == 400 and "at most 16" in answer.json()["detail"]


def test_a_link_gives_the_same_face_after_a_restart(
    client: TestClient, outputs: Path, tmp_path: Path
):
    params = {**FACE, "moves": "sefa.0:1.5,pca.2:-1", "truncation": 0.8}
    first = client.get("/api/face.png", params=params).content
    with TestClient(
        create_app(Settings(outputs, tmp_path / "other")), base_url="http://localhost"
    ) as other:
        assert other.get("/api/face.png", params=params).content == first
    assert (pixels(first) != one(client)).any()


def test_a_download_contains_face_and_story_as_metadata(client: TestClient):
    client.post("/api/saved", json={"face": FACE, "story": "Once \u2014 upon a time"})
    answer = client.get("/api/face.png", params={**FACE, "download": True, "scale": 4})
    assert "attachment" in answer.headers["content-disposition"]
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (64, 64)
    assert picture.info["Description"] == "Once \u2014 upon a time"
    described = Face.from_json(json.loads(picture.info["anime_dcgan"]))
    assert replace(described, digest=None) == Face(**FACE) and described.digest


def test_a_matching_etag_returns_304(client: TestClient):
    first = client.get("/api/face.png", params=FACE)
    again = client.get(
        "/api/face.png", params=FACE, headers={"If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304
    other = client.get("/api/face.png", params={**FACE, "seed": 6})
    assert other.headers["etag"] != first.headers["etag"]


def test_a_sheet_can_mix_runs_and_epochs(client: TestClient):
    faces = [FACE, {**FACE, "epoch": "1"}, {"run": "sweep/b", "epoch": "1", "seed": 2}]
    answer = client.post(
        "/api/sheet.png", json={"faces": faces, "columns": 2, "scale": 2, "padding": 2}
    )
    assert pixels(answer.content).shape == (2 * 34 + 2, 2 * 34 + 2, 3)
    sheet = client.post("/api/sheet.png", json={"faces": faces[:2]})
    np.testing.assert_array_equal(pixels(sheet.content)[:, :16], one(client))


def test_mixing_interpolates_between_the_parents(client: TestClient):
    other = {**FACE, "seed": 9}
    faces = client.post("/api/mix", json={"parents": [FACE, other], "steps": 4}).json()["faces"]
    assert len(faces) == 5 and faces[0]["seed"] == 5 and faces[-1]["seed"] == 9
    assert all(face["latent"] for face in faces[1:-1])
    drawn = [one(client, seed=None, latent=face["latent"]) for face in faces[1:-1]]
    assert all((face != one(client)).any() for face in drawn)


def test_breeding_is_deterministic(client: TestClient):
    body = {"parents": [FACE, {**FACE, "seed": 9}], "children": 6, "variation": 0.3, "seed": 1}
    first, again = (client.post("/api/breed", json=body).json() for _ in range(2))
    assert first == again and len({face["latent"] for face in first["faces"]}) == 6


def test_a_blend_of_one_face_is_that_face(client: TestClient):
    blend = client.post("/api/blend", json={"parents": [FACE], "shares": [1]}).json()["face"]
    difference = one(client).astype(int) - one(client, seed=None, latent=blend["latent"])
    assert np.abs(difference).max() <= 1


def test_faces_of_different_generators_cannot_be_mixed(client: TestClient):
    for path, more in (("mix", {}), ("breed", {}), ("blend", {"shares": [1, 1]})):
        body = {"parents": [FACE, {**FACE, "epoch": "1"}], **more}
        answer = client.post(f"/api/{path}", json=body)
        assert answer.status_code == 400 and "one run and epoch" in answer.json()["detail"]


def test_styles_of_layers_are_mixed_saved_and_found(tmp_path: Path):
    make_style_checkpoint(tmp_path / "styles/checkpoints/epoch=0001.ckpt")
    make_checkpoint(tmp_path / "a/checkpoints/epoch=0010.ckpt")
    app = create_app(Settings(tmp_path, tmp_path / "studio"))
    face = {"run": "styles", "epoch": "1", "seed": 5}
    mixed = {**face, "mix": {"0-1": 17, "4-5": 2}}
    link = {**face, "mix": "0-1:17,4-5:2"}
    with TestClient(app, base_url="http://127.0.0.1", headers=CHANGE) as client:
        assert client.get("/api/styles", params=face).json() == {
            "layers": 6,
            "mapping": True,
            "groups": {"coarse": "0-1", "middle": "2-3", "fine": "4-5"},
            "labels": [],
        }
        drawn = one(client, **link)
        assert (drawn != one(client, **face)).any()
        sheet = client.post("/api/sheet.png", json={"faces": [mixed], "columns": 1})
        np.testing.assert_array_equal(pixels(sheet.content), drawn)
        client.post("/api/saved", json={"face": mixed})
        found = client.get("/api/saved/find", params=link).json()
        assert found["face"]["mix"] == mixed["mix"]
        plain = client.get("/api/styles", params={"run": "a", "epoch": "10"}).json()
        assert plain == {"layers": 1, "mapping": False, "groups": {"coarse": "0-0"}, "labels": []}
        body = {"parents": [face, {**face, "seed": 6}], "layers": "2-3"}
        path = client.post("/api/mix", json={**body, "steps": 2}).json()["faces"]
        assert [each["seed"] for each in path] == [5, None, None]
        blend = client.post("/api/blend", json={**body, "shares": [0, 1]}).json()["face"]
        assert blend["latent"] == path[-1]["latent"]
        assert client.post("/api/breed", json={**body, "layers": "5-6"}).status_code == 400
        refused = client.get("/api/face.png", params={**FACE, "mix": "0-0:1"})
        assert refused.status_code == 400 and "model=stylegan2" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/api/face.png", {**FACE, "run": "none"}, 404),
        ("/api/face.png", {**FACE, "epoch": "3"}, 404),
        ("/api/face.png", {**FACE, "epoch": "../last"}, 422),
        ("/api/face.png", {**FACE, "run": "../a"}, 400),
        ("/api/face.png", {**FACE, "latent": "AAAA"}, 400),
        ("/api/face.png", {**FACE, "moves": "sefa.0"}, 400),
        ("/api/face.png", {**FACE, "moves": "sefa.99:1"}, 400),
        ("/api/face.png", {**FACE, "mix": "3-0:1"}, 400),
        ("/api/face.png", {**FACE, "scale": 17}, 422),
        ("/api/face.png", {**FACE, "truncation": "nan"}, 422),
        ("/api/wall.png", {**FACE, "count": 257}, 422),
        ("/api/directions", {"run": "a", "epoch": "1", "method": "ica"}, 422),
        ("/api/run", {"run": "n" * 300}, 404),
        ("/api/" + "n" * 300, {}, 404),
    ],
    ids=str,
)
def test_invalid_requests_give_one_line_errors(
    client: TestClient, path: str, params: dict[str, Any], status: int
):
    answer = client.get(path, params=params)
    assert answer.status_code == status
    detail = answer.json()["detail"]
    assert len(detail.splitlines()) == 1 and not re.search(r"String should|\^|<|Input", detail)


def test_a_checkpoint_that_contains_code_is_rejected(tmp_path: Path):
    import os

    class Malicious:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'trace'}",)

    checkpoints = tmp_path / "outputs" / "evil" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save({"state_dict": {}, "config": {}, "more": Malicious()}, checkpoints / "last.ckpt")
    app = create_app(Settings(tmp_path / "outputs", tmp_path / "studio"))
    with TestClient(app, base_url="http://localhost", headers=CHANGE) as client:
        answer = client.get("/api/face.png", params={"run": "evil", "epoch": "last", "seed": 1})
    assert answer.status_code == 400 and "could run code" in answer.json()["detail"]
    assert not (tmp_path / "trace").exists()


def test_a_wall_stops_at_the_largest_seed(client: TestClient):
    answer = client.get("/api/wall.png", params={**FACE, "seed": 2**32 - 3, "count": 64})
    assert pixels(answer.content).shape == (16, 3 * 16, 3)


def test_nothing_can_be_saved_in_a_studio_that_only_draws(outputs: Path, tmp_path: Path):
    reason = "outputs/.studio cannot be written"
    app = create_app(Settings(outputs, tmp_path / "studio", unsaved=reason))
    with TestClient(app, base_url="http://localhost", headers=CHANGE) as client:
        assert client.get("/api/state").json()["unsaved"] == reason
        assert client.get("/api/face.png", params={**FACE, "seed": 1}).status_code == 200
        answer = client.post("/api/collections", json={"name": "a"})
    assert (answer.status_code, answer.json()["detail"]) == (400, reason)


def test_hostile_checkpoints_are_answered_in_one_line(tmp_path: Path):
    checkpoint = make_checkpoint(tmp_path / "outputs/evil/checkpoints/last.ckpt")
    app = create_app(Settings(tmp_path / "outputs", tmp_path / "studio"))
    contents = torch.load(checkpoint, weights_only=True)
    contents["state_dict"]["generator_ema.project.bias"][0] = torch.nan
    with TestClient(app, base_url="http://localhost", headers=CHANGE) as client:

        def ask() -> tuple[int, str]:
            face = {"run": "evil", "epoch": "last", "seed": 1}
            answer = client.get("/api/face.png", params=face)
            return answer.status_code, answer.json()["detail"]

        torch.save(contents, checkpoint)
        assert ask()[0] == 400 and "not finite" in ask()[1]
        with zipfile.ZipFile(checkpoint, "w") as archive:
            archive.writestr("a/data.pkl", b"\x80\x02" + b"]" * 20_000_000 + b".")
        assert ask()[0] == 400 and "opcodes" in ask()[1]
        with zipfile.ZipFile(checkpoint, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/data.pkl", bytes(10**8))
        assert ask()[0] == 400 and "compressed" in ask()[1]
