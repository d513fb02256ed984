"""Directions are found in the background, named by measuring, and renamed by users."""

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from anime_dcgan.explore import directions
from anime_dcgan.explore.directions import Direction
from anime_dcgan.explore.given_names import GivenName, inherit, with_given_name
from anime_dcgan.explore.naming import Name
from anime_dcgan.studio.measurements import (
    MAX_UNFINISHED,
    Measurements,
    MeasurementsFullError,
)
from anime_dcgan.system.errors import UserError
from tests.studio.conftest import CHANGE

GENERATOR = {"run": "a", "epoch": "10"}
FACE = {**GENERATOR, "seed": 3}


def listed(client: TestClient, **params: Any) -> list[dict[str, Any]]:
    """Return the directions once they are measured."""
    for _ in range(500):
        answer = client.get("/api/directions", params={**GENERATOR, "count": 4, **params}).json()
        if answer["progress"] == 1:
            return answer["directions"]
        time.sleep(0.02)
    raise AssertionError("the directions were never measured")


def test_directions_are_listed_with_measured_names(client: TestClient):
    for method in ("sefa", "pca"):
        found = listed(client, method=method)
        assert [one["id"] for one in found] == [f"{method}.{n}" for n in range(4)]
        assert len({one["name"] for one in found}) == 4
        for number, one in enumerate(found):
            is_measured = one["source"] == "measured"
            assert is_measured == (one["opposite"] is not None) == (one["effect"] > 0)
            assert is_measured or one["name"] == f"direction {number + 1}"
        params = {**GENERATOR, "method": method, "count": 2}
        fewer = client.get("/api/directions", params=params).json()
        assert fewer["progress"] == 1 and fewer["directions"] == found[:2]  # known already
    refused = client.get("/api/directions", params={**GENERATOR, "layers": "3-4"})
    assert refused.status_code == 400


def test_a_name_has_precedence_and_is_inherited_by_other_epochs(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def find(generator: object, method: str, count: int) -> list[Direction]:
        """Return directions that turn around from generator to generator."""
        vectors = torch.eye(6)[:count] * (-1) ** len(seen)
        seen.append(method)
        return [Direction(f"sefa.{n}", vector, 0.1) for n, vector in enumerate(vectors)]

    seen: list[str] = []
    monkeypatch.setattr(directions, "find", find)
    before = listed(client)
    given = {**GENERATOR, "id": "sefa.1", "name": "smile", "sign": before[1]["sign"]}
    assert client.put("/api/directions/name", json=given).status_code == 204
    own = listed(client)[1]
    assert (own["name"], own["source"], own["sign"]) == ("smile", "user", before[1]["sign"])
    other = listed(client, epoch="1")
    assert (other[1]["name"], other[1]["source"]) == ("smile", "inherited")
    assert other[1]["sign"] == -own["sign"]  # the side that smiles is the other one
    assert [one["source"] for one in other].count("inherited") == 1
    client.put("/api/directions/name", json={**given, "epoch": "1", "name": None})
    assert listed(client, epoch="1")[1]["name"] != "smile"
    client.put("/api/directions/name", json={**given, "name": None})
    assert listed(client)[1] == before[1]


def test_names_go_to_the_most_similar_directions():
    names = [
        GivenName("sefa.0", "smile", torch.tensor([-1.0, 0.1, 0.0])),
        GivenName("sefa.1", "smile", torch.tensor([-0.8, 0.6, 0.0])),
        GivenName("sefa.2", "age", torch.tensor([0.0, 0.5, 0.87])),
        GivenName("pca.0", "hat", torch.tensor([1.0, 0.0, 0.0])),
        GivenName("sefa.3", "short", torch.ones(2)),
    ]
    found = inherit(
        names, [Direction(f"sefa.{n}", vector, 0.1) for n, vector in enumerate(torch.eye(3))]
    )
    assert {id: name.text for id, name in found.items()} == {"sefa.0": "smile", "sefa.2": "age"}
    measured = Name("warmer", "cooler", 1, 2.0, 0.1)
    turned = with_given_name(measured, names[0], Direction("sefa.0", torch.eye(3)[0], 0.1))
    assert (turned.text, turned.opposite, turned.sign) == ("smile", "warmer", -1)


def test_finding_directions_does_not_hold_up_faces(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    release, find = threading.Event(), directions.find

    def slow(*given: Any) -> list[Direction]:
        assert threading.current_thread().name.startswith("measure")
        release.wait(20)
        return find(*given)

    monkeypatch.setattr(directions, "find", slow)
    params = {**FACE, "moves": "pca.0:1.5"}
    moved = threading.Thread(target=lambda: client.get("/api/face.png", params=params))
    moved.start()
    assert client.get("/api/face.png", params=FACE).status_code == 200
    assert moved.is_alive()
    release.set()
    moved.join(20)
    assert not moved.is_alive()


@pytest.fixture
def measurements(tmp_path: Path) -> Iterator[Measurements]:
    made = Measurements(tmp_path / "cache", lambda: False)
    yield made
    made.close()


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", "cut", "shape", "not finite"])
def test_damaged_results_are_computed_again(tmp_path: Path, damage: bytes | str):
    for attempt in range(2):
        measurements = Measurements(tmp_path, lambda: False)
        found = measurements.get("x", lambda _: np.ones(8), lambda one: one.shape == (8,))
        assert found.result(5).tolist() == [1] * 8, attempt
        measurements.close()
        path = tmp_path / "x.npy"
        if isinstance(damage, bytes):
            path.write_bytes(damage)
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:-8])
        else:
            np.save(path, np.ones(7) if damage == "shape" else np.full(8, np.nan))


def test_a_failure_is_reported_once_and_tried_again(measurements: Measurements):
    def fail(_: object) -> np.ndarray:
        raise UserError("no luck")

    with pytest.raises(UserError, match="no luck"):
        measurements.get("x", fail).result(5)
    assert measurements.get("x", fail).exception(5) is not None
    assert measurements.get("x", lambda _: np.ones(1)).result(5) == 1


def test_waiting_measurements_are_bounded_and_begin_later(client: TestClient):
    before = listed(client, epoch="1")
    release = threading.Event()
    measurements = client.app.state.studio.measurements  # type: ignore[attr-defined]
    measurements._results.clear()

    def wait(_: object) -> np.ndarray:
        release.wait(20)
        return np.ones(1)

    waiting = [measurements.get(f"x{number}", wait) for number in range(MAX_UNFINISHED)]
    with pytest.raises(MeasurementsFullError):
        measurements.get("one too many", wait)
    assert measurements.get("x0", wait) is waiting[0]
    unknown = client.get("/api/directions", params=GENERATOR)
    assert unknown.status_code == 503 and "try again" in unknown.json()["detail"]
    assert unknown.headers["retry-after"]
    unnamed = client.get("/api/directions", params={**GENERATOR, "epoch": "1", "count": 4}).json()
    assert unnamed["progress"] == 0 and unnamed["directions"][3]["name"] == "direction 4"
    assert client.get("/api/parts", params=GENERATOR).json() == {"ready": False, "progress": 0}
    release.set()
    waiting[-1].result(20)
    assert listed(client, epoch="1") == before


def test_sketches_are_the_faces(client: TestClient):
    faces = [{**FACE, "moves": {"sefa.0": step}} for step in (-1.0, 0.0, 1.0)]
    sheets = [
        client.post("/api/sheet.png", json={"faces": faces, "fast": fast}, headers=CHANGE).content
        for fast in (False, True)
    ]
    pixels = [np.asarray(picture(one), int) for one in sheets]
    assert np.abs(pixels[0] - pixels[1]).mean() < 2


def picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))
