"""The HTTP API conforms to its own OpenAPI schema, and answers others during generated requests."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from anime_dcgan.explore.renderer import Renderer
from anime_dcgan.studio import context
from anime_dcgan.studio.app import Settings, create_app
from anime_dcgan.studio.jobs import JobQueue
from anime_dcgan.studio.library import Library
from anime_dcgan.studio.routes import directions, faces
from anime_dcgan.studio.store.database import Database
from tests.studio.conftest import CHANGE, make_outputs

HEADERS = {**CHANGE, "host": "127.0.0.1"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


SLOW: list[tuple[Any, str]] = [
    *((Database, "read"), (Database, "write"), (Image.Image, "save")),
    *((Renderer, "_version"), (Renderer, "_load"), (JobQueue, "submit"), (Library, "origins")),
    *((directions, "inherit"), (faces, "same_size"), (faces, "to_faces"), (context, "to_faces")),
]
"""Functions that read files, wait for others or compute: none may run on the event loop."""


def refuse_on_the_loop(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Let a function raise where it would hold up the answers to all other requests."""
    function = getattr(owner, name)

    def checked(*args: Any, **options: Any) -> Any:
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise AssertionError(f"{name} holds up the event loop")
        return function(*args, **options)

    monkeypatch.setattr(owner, name, checked)


@pytest.fixture
def operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[APIOperation]]:
    """The documented operations of a studio that requests may change."""
    for owner, name in SLOW:
        refuse_on_the_loop(monkeypatch, owner, name)
    app = create_app(Settings(make_outputs(tmp_path / "outputs"), tmp_path / "studio"))
    with TestClient(app, base_url="http://127.0.0.1", headers=CHANGE) as client:
        client.post("/api/saved", json={"face": {"run": "a", "epoch": "10", "seed": 1}})
        schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS)
        yield [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


def test_every_response_conforms_to_the_openapi_schema(operations: list[APIOperation]):
    assert len(operations) > 30
    for operation in operations:
        print(operation.label)  # shown on failure

        @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(case=operation.as_strategy())
        def ask(case: Case) -> None:
            case.call_and_validate(headers=HEADERS, checks=CHECKS)

        ask()


def test_everything_in_the_openapi_document_is_named_and_described(tmp_path: Path):
    (tmp_path / "outputs").mkdir()
    app = create_app(Settings(tmp_path / "outputs", tmp_path / "studio"))
    with TestClient(app, base_url="http://localhost") as client:
        document = client.get("/openapi.json").json()
    operations = [
        (method, operation)
        for path in document["paths"].values()
        for method, operation in path.items()
    ]
    assert len(operations) > 30 and set(document["components"]["securitySchemes"]) == {
        *("token", "change")
    }
    problem = {"$ref": "#/components/schemas/Problem"}
    for method, operation in operations:
        assert operation["description"] and operation["operationId"].isidentifier()
        assert all(parameter["description"] for parameter in operation.get("parameters", []))
        answer = operation["responses"]["422"]["content"]["application/json"]
        assert answer["schema"] == problem
        assert ("change" in operation["security"][0]) == (method != "get")
