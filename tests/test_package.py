"""Tests of the wheel: it contains the configuration and works from an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import anime_dcgan

ROOT = Path(anime_dcgan.__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("only a checkout can build a wheel")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_package_configuration_and_console_scripts(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (scripts,) = (name for name in names if name.endswith("entry_points.txt"))
        entry_points = archive.read(scripts).decode()
    tracked = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*.yaml")}
    assert {f"anime_dcgan/{name}" for name in tracked} <= names
    assert not any(name.startswith(("tests/", "outputs/", "conf/")) for name in names)
    assert "anime-train = anime_dcgan.train:main" in entry_points
    assert "anime-generate = anime_dcgan.generate:main" in entry_points
    assert "anime-evaluate = anime_dcgan.evaluate:main" in entry_points
    assert "anime-compare = anime_dcgan.compare:main" in entry_points
    assert "anime-report = anime_dcgan.report:main" in entry_points
    assert "anime-search = anime_dcgan.search:main" in entry_points
    package = ROOT / "anime_dcgan"
    studio = package / "studio"
    files = [
        *package.glob("demo/*.*"),
        *package.glob("page/template/**/*.*"),
        *studio.glob("static/**/*.*"),
        *studio.glob("store/migrations/versions/*.py"),
    ]
    assert {str(path.relative_to(ROOT)) for path in files} <= names


def test_the_store_of_the_wheel_finds_its_migrations(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "from pathlib import Path; from anime_dcgan.studio.store import Store\n"
        "with Store(Path('studio.db')) as store: print(store.create_collection('group').count)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout == "0\n"


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        *(("train", "seed: 0"), ("generate", "seed: 0")),
        *(("evaluate", "epochs: all"), ("report", "grids: 6"), ("search", "trials: 20")),
        ("compare", "by: images"),
    ],
)
def test_the_wheel_finds_its_configuration_in_an_empty_folder(
    wheel: Path, tmp_path: Path, command: str, setting: str
):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    result = subprocess.run(
        [sys.executable, "-m", f"anime_dcgan.{command}", "--cfg", "job"],
        cwd=tmp_path / "empty",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert setting in result.stdout
    where = [sys.executable, "-c", "from anime_dcgan.system.paths import CONF_DIR; print(CONF_DIR)"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    found = subprocess.run(
        where, cwd=tmp_path / "empty", env=environment, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == tmp_path / "site/anime_dcgan/conf"
