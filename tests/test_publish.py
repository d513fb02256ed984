"""The command `publish`: what it refuses, and what it replaces. `tests/sharing/test_site.py` opens
a site in a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
    assert "letter.txt" in refuse("overwrite=true")
    (tmp_path / "site/letter.txt").unlink()
    assert "out=site exists: use another out=..., or overwrite=true" in refuse()
    (tmp_path / "file").touch()
    assert "out=file is not a folder" in refuse("out=file")


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
