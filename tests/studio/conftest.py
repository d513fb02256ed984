"""A studio of small untrained runs, its client, and a browser that shows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from anime_dcgan.studio.app import Settings, create_app
from tests.checkpoints import make_checkpoint
from tests.chromium import chromedriver
from tests.run_folder import make_full_run, row, write_quality
from tests.studio.window import Server, Window

CHANGE = {"X-Studio": "1"}


def make_outputs(outputs: Path) -> Path:
    """Create two runs: `a` with ten epochs and all files, and `sweep/b` with one checkpoint."""
    run = make_full_run(outputs / "a")
    for epoch in (1, 2, 10):
        path = run / "checkpoints" / f"epoch={epoch:04d}.ckpt"
        make_checkpoint(path, seed=epoch, epochs=epoch)
    make_checkpoint(run / "checkpoints" / "last.ckpt", seed=10, epochs=10)
    make_checkpoint(run / "checkpoints" / "best.ckpt", seed=2, epochs=2)
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


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_outputs(tmp_path_factory.mktemp("browser") / "outputs")


@pytest.fixture(scope="module")
def server(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(runs, tmp_path_factory.mktemp("saved"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def window(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with chromedriver() as port:
        window = Window(port, tmp_path_factory.mktemp("downloads"), server)
        yield window
        window.close()


@pytest.fixture
def page(window: Window) -> Iterator[Window]:
    """The browser; fails if the console shows an error or another host was contacted."""
    for path in window.downloads.iterdir():
        path.unlink()
    window.emulate(1280)
    window.console()
    yield window
    other_hosts = (
        "performance.getEntriesByType('resource').map(one => one.name)"
        ".filter(name => !name.startsWith(location.origin) && !name.startsWith('blob:'))"
    )
    assert window.run(other_hosts) == []
    window.run("sessionStorage.clear()")
    assert window.console() == []
