"""A client that is generated from the OpenAPI document draws, saves and exports."""

import importlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType
from PIL import Image

from anime_dcgan.studio.app import Settings, create_app
from tests.studio.window import Server

BINARY = {"image/png": "application/octet-stream", "application/zip": "application/octet-stream"}


@pytest.fixture
def generated(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the generated package."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(create_app(Settings(runs, tmp_path / "studio")).openapi()))
    files = ConfigFile(post_hooks=[], content_type_overrides=BINARY)
    config = Config.from_sources(
        files, MetaType.NONE, document, "utf-8", True, tmp_path / "studio_client"
    )
    assert generate(config=config) == []  # no warnings
    monkeypatch.syspath_prepend(tmp_path)
    return "studio_client"


def test_a_generated_client_draws_saves_and_exports(generated: str, server: Server):
    def call(operation: str, **arguments: Any) -> Any:
        module = importlib.import_module(f"{generated}.api.{operation}")
        answer = module.sync_detailed(client=client, **arguments)
        assert answer.status_code < 300, answer.content
        return answer.parsed

    package = importlib.import_module(generated)
    models = importlib.import_module(f"{generated}.models")
    client = package.Client(server.address, headers={"X-Studio": "1"})
    assert {run.name for run in call("runs.list_runs").runs} >= {"a", "sweep/b"}
    picture = Image.open(call("faces.draw_face", run="a", epoch="10", seed=5).payload)
    assert np.ptp(np.asarray(picture)) > 0
    face = models.FaceModel(run="a", epoch="10", seed=5)
    saved = call("saved.save_face", body=models.SaveRequest(face=face, story="Mina"))
    name = models.CollectionName(name="mine")
    collection = call("saved.create_collection", body=name)
    call("saved.add_to_collection", collection_id=collection.id, saved_id=saved.id)
    exported = call("saved.export_collection_archive", collection_id=collection.id)
    contents = json.loads(
        zipfile.ZipFile(io.BytesIO(exported.payload.read())).read("collection.json")
    )
    assert contents["faces"][0]["story"] == "Mina"
    missing = importlib.import_module(f"{generated}.api.runs.get_run")
    problem = missing.sync(client=client, run="nowhere")
    assert isinstance(problem, models.Problem) and "no run nowhere" in problem.detail
    client.get_httpx_client().close()
    for module in [name for name in sys.modules if name.partition(".")[0] == generated]:
        del sys.modules[module]
