"""The interface as it documents itself, under anything that it could be asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from anime_dcgan.studio.app import Settings, create_app
from tests.studio.conftest import CHANGE, make_outputs

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The documented interface of a studio that any request may change."""
    place = tmp_path_factory.mktemp("asked")
    app = create_app(Settings(make_outputs(place / "outputs"), place / "kept"))
    with TestClient(app, base_url="http://127.0.0.1", headers=CHANGE) as client:
        client.post("/api/kept", json={"face": {"run": "a", "epoch": "10", "seed": 1}})
        yield schemathesis.openapi.from_asgi("/openapi.json", app, headers=CHANGE)


interface = schemathesis.pytest.from_fixture("asked")


@interface.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_the_answer_is_a_documented_one(case: Case):
    headers = {**(case.headers or {}), **CHANGE, "host": "127.0.0.1"}
    case.call_and_validate(headers=headers, checks=CHECKS)


def test_every_route_says_what_it_does(tmp_path: Path):
    (tmp_path / "outputs").mkdir()
    app = create_app(Settings(tmp_path / "outputs", tmp_path / "kept"))
    with TestClient(app, base_url="http://localhost") as client:
        routes = client.get("/openapi.json").json()["paths"]
    operations = [operation for path in routes.values() for operation in path.values()]
    assert len(operations) > 30
    assert all(operation.get("description") for operation in operations)
