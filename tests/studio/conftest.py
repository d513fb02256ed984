"""A studio of small untrained runs, and its client."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from anime_dcgan.studio.app import Settings, create_app
from tests.checkpoints import make_checkpoint
from tests.run_folder import make_full_run, row, write_quality

CHANGE = {"X-Studio": "1"}


def make_outputs(outputs: Path) -> Path:
    """Create two runs: `a` with ten epochs and all files, and `sweep/b` with one checkpoint."""
    run = make_full_run(outputs / "a")
    for epoch in (1, 2, 10):
        make_checkpoint(run / "checkpoints" / f"epoch={epoch:04d}.ckpt", seed=epoch)
    make_checkpoint(run / "checkpoints" / "last.ckpt", seed=10)
    make_checkpoint(run / "checkpoints" / "best.ckpt", seed=2)
    make_checkpoint(outputs / "sweep" / "b" / "checkpoints" / "epoch=0001.ckpt", seed=20)
    (outputs / "sweep/b/config.yaml").write_text("data: {image_size: 16}\nseed: 3\n")
    write_quality(outputs / "sweep/b", [row(1, swd_all=9.0)], swd_all=3.0)
    return outputs


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that tests must not change."""
    return make_outputs(tmp_path_factory.mktemp("studio") / "outputs")


@pytest.fixture
def client(outputs: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A client of a studio with an empty store; its headers allow changes."""
    app = create_app(Settings(outputs, tmp_path / "studio"))
    with TestClient(app, base_url="http://127.0.0.1", headers=CHANGE) as made:
        yield made
