"""Push to a hub on loopback, and draw from it in another folder."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.run.exported import DESCRIPTION, WEIGHTS
from anime_dcgan.run.hub import fetch, fetch_below
from anime_dcgan.run.runs import find_run
from anime_dcgan.studio.library import Library
from anime_dcgan.system.errors import UserError
from tests.checkpoints import make_checkpoint
from tests.processes import Result
from tests.sharing.loopback import ModelHub, serving

pytest.importorskip("huggingface_hub")

Call = Callable[..., Result]
REPO = "painter/faces"


@pytest.fixture
def hub() -> ModelHub:
    return ModelHub()


@pytest.fixture
def address(hub: ModelHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Return the address of the hub, with an empty cache and a token."""
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "hf_painter")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving(hub) as url:
        use(monkeypatch, url)
        yield url
    close_session()


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let the library use the hub at this address, which it reads when it is imported."""
    for name in ("constants.ENDPOINT", "hf_api.constants.ENDPOINT"):
        monkeypatch.setattr(f"huggingface_hub.{name}", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", url)


@pytest.fixture
def user(tmp_path: Path) -> Path:
    make_checkpoint(tmp_path / "user/outputs/first/checkpoints/best.ckpt")
    return tmp_path / "user"


def test_a_generator_is_uploaded_and_drawn_from_elsewhere(
    hub: ModelHub, address: str, user: Path, call: Call, tmp_path: Path
):
    result = call(
        "export", "run=first", "epoch=best", "out=mine", f"push={REPO}", "private=true", cwd=user
    )
    assert REPO in result.stdout + result.stderr
    assert hub.repositories[REPO].keys() == {path.name for path in (user / "mine").iterdir()}
    assert f"run=hub:{REPO}".encode() in hub.repositories[REPO]["README.md"]
    other = tmp_path / "other"
    other.mkdir()
    for _ in range(2):
        call("generate", f"run=hub:{REPO}", "n=4", "overwrite=true", cwd=other)
    call("generate", "run=mine", "n=4", cwd=user)
    drawn, expected = (np.asarray(Image.open(each / "faces.png")) for each in (other, user))
    assert np.array_equal(drawn, expected)
    assert sorted(hub.downloads) == [DESCRIPTION, WEIGHTS]
    assert "Bearer hf_painter" in hub.tokens


def test_a_downloaded_generator_needs_no_network(
    hub: ModelHub, address: str, user: Path, call: Call, monkeypatch: pytest.MonkeyPatch
):
    call("export", "run=first", "epoch=best", "out=mine", f"push={REPO}", cwd=user)
    folder = fetch(f"hub:{REPO}", "run=...")
    use(monkeypatch, "http://127.0.0.1:9")
    assert fetch(f"hub:{REPO}", "run=...") == folder
    copied = fetch_below(f"hub:{REPO}", "run=...", user / "outputs")
    assert copied == user / "outputs/hub" / REPO and not any(map(Path.is_symlink, copied.iterdir()))
    assert find_run(f"hub/{REPO}", user / "outputs") == copied
    revision = fetch_below(f"hub:{REPO}@main", "run=...", user / "outputs")
    fetch_below(f"hub:{REPO}", "run=...", user / "outputs")
    names = {run.name for run in Library(user / "outputs").runs()}
    assert names == {"first", f"hub/{REPO}", f"hub/{REPO}@main"} and revision.is_dir()
    with pytest.raises(UserError, match="run=hub:a/b: http://127.0.0.1:9 cannot be reached"):
        fetch("hub:a/b", "run=hub:a/b")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("hub:nobody/nothing", "there is no nobody/nothing on .*, or it is private"),
        (f"hub:{REPO}@v9", f"{REPO} has no such commit, tag or branch"),
        (f"hub:{REPO}", "has no generator.json: it is not a generator exported by"),
        ("hub:faces", "not a repository of the hub: use run=hub:owner/name"),
        ("hub:../..", "not a repository of the hub"),
        (f"hub:{REPO}@../../../first", "has no such commit, tag or branch"),
    ],
)
def test_a_repository_that_cannot_be_used_is_refused(
    hub: ModelHub, address: str, run: str, message: str
):
    hub.repositories[REPO] = {"README.md": b"a card"}
    with pytest.raises(UserError, match=message):
        fetch(run, f"run={run}")


def test_a_huge_file_is_not_downloaded(
    hub: ModelHub, address: str, monkeypatch: pytest.MonkeyPatch
):
    hub.repositories[REPO] = {DESCRIPTION: b"{}", WEIGHTS: b"0" * 100}
    monkeypatch.setattr("anime_dcgan.run.hub.MAX_WEIGHTS_BYTES", 99)
    with pytest.raises(UserError, match="is refused: it has a file of more than"):
        fetch(f"hub:{REPO}", "run=...")
    assert hub.downloads == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("refused", "refuses this token \\(status 403\\): set HF_TOKEN"),
        ("token", "needs a token of the hub that may write: run `hf auth login`"),
        ("name", "push=faces is not a repository of the hub: use push=owner/name"),
        ("network", "cannot be reached"),
    ],
)
def test_an_upload_that_fails_is_explained(
    hub: ModelHub,
    address: str,
    user: Path,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    message: str,
):
    hub.refuses = setting == "refused"
    if setting == "token":
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    if setting == "network":
        use(monkeypatch, "http://127.0.0.1:9")
    repo = "faces" if setting == "name" else REPO
    result = call(
        "export", "run=first", "epoch=best", "out=mine", f"push={repo}", cwd=user, status=2
    )
    assert re.search(message, result.stderr) and "Traceback" not in result.stderr
    assert (user / "mine").exists() == (setting in ("refused", "network"))
