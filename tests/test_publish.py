"""The command `publish`: what it refuses, and what it replaces. `tests/sharing/test_site.py` opens
a site in a browser."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from anime_dcgan.cli.checks import web_address
from anime_dcgan.sharing import onnx, runtime, site_files
from anime_dcgan.system.errors import UserError
from tests.checkpoints import make_checkpoint
from tests.run_folder import make_run


@pytest.fixture
def refuse(tmp_path: Path, call: Callable[..., Any]) -> Callable[..., str]:
    """Return a function that runs the command for a run and returns its refusal."""
    make_checkpoint(make_run(tmp_path / "outputs/a") / "checkpoints/last.ckpt")

    def refuse(*overrides: str) -> str:
        error = call("publish", *overrides, cwd=tmp_path, status=2).stderr
        assert len(error.splitlines()) <= 2
        return error

    return refuse


def test_a_folder_that_is_not_a_site_is_never_replaced(refuse: Callable[..., str], tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/letter.txt").touch()
    error = refuse("overwrite=true")
    assert "out=site has files other than a site (letter.txt)" in error
    (tmp_path / "site" / site_files.DATA).write_text(site_files.MARK)
    (tmp_path / "site/README.md").write_text("of the host")
    assert "letter.txt" in refuse("overwrite=true")
    (tmp_path / "site/letter.txt").unlink()
    assert "out=site exists: use another out=..., or overwrite=true" in refuse()
    (tmp_path / "file").touch()
    assert "out=file is not a folder" in refuse("out=file")


def test_files_for_the_host_stay_when_a_site_is_replaced(
    call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, content in (("README.md", "of the host"), (site_files.DATA, site_files.MARK)):
        (tmp_path / "site" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "site" / name).write_text(content)
    weights = SimpleNamespace(storage="float16", difference="nothing")
    monkeypatch.setattr("anime_dcgan.publish._write", lambda *_: weights)
    monkeypatch.setattr(runtime, "find_runtime", contextlib.nullcontext)
    monkeypatch.setattr(onnx, "PACKAGES", ())
    result = call("publish", "run=demo", "overwrite=true", cwd=tmp_path)
    assert "generator.safetensors is site/" in result.stderr
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["README.md"]
    assert (tmp_path / "site/README.md").read_text() == "of the host"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,a", "//a.b", "https:", ""])
def test_a_link_that_is_not_an_address_of_the_web_is_refused(link: str):
    check = web_address("https://example.org")
    with pytest.raises(UserError, match="is not an address of the web: use link=https://example"):
        check("link", link)
    check("link", "https://example.org/a?b=c#d")


def test_settings_and_missing_packages_are_refused_with_the_fix(
    refuse: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert "storage=float8 is not an option" in refuse("storage=float8")
    monkeypatch.setattr(onnx, "PACKAGES", ("a_missing_package",))
    assert 'publish needs another package: pip install -e ".[export]"' in refuse()
    monkeypatch.setattr(onnx, "PACKAGES", ())
    assert "runtime=nowhere is not onnxruntime-web" in refuse("runtime=nowhere")
    monkeypatch.setattr(runtime.shutil, "which", lambda _: None)
    assert "npm, which is not installed: use runtime=FOLDER" in refuse()
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def test_an_incomplete_or_another_runtime_is_refused(tmp_path: Path):
    build = runtime.BUILDS["wasm"]
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / build.script).write_text("const a = 1;")
    with pytest.raises(UserError, match=f"lacks {build.wasm}"), runtime.find_runtime(tmp_path):
        pass
    with pytest.raises(UserError, match=f"is not onnxruntime-web {runtime.VERSION}"):
        runtime.as_classic_script("const a = 1;")
