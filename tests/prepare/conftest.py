"""Fixtures: a pile with planted faults, and the results of preparing it once."""

import shutil
from pathlib import Path

import pytest

from anime_dcgan.cleaning import outliers
from tests.data.pictures import encoded, make_zip
from tests.prepare.pile import DRAWN, FACES, SOURCE, planted, run_python

WITHOUT_TORCH = """
import sys
from anime_dcgan.prepare import main
main()
assert not {"torch", "lightning", "torchvision"} & sys.modules.keys()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the features of the outlier model in this process; its own tests use them all."""
    monkeypatch.setattr(
        outliers, "features", lambda faces: outliers._shape(outliers.luminance(faces))
    )


@pytest.fixture(scope="session")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with pile/ and more.zip: 60 faces, a duplicate of one, and `planted`.

    Everything else in it is unusable.
    """
    location = tmp_path_factory.mktemp("pile")
    faces = {name: encoded(DRAWN.read(number, 64)) for number, name in enumerate(FACES)}
    (location / "pile/deep").mkdir(parents=True)
    for name in FACES[:40]:
        (location / "pile" / name).write_bytes(faces[name])
    for name, data in planted().items():
        (location / "pile/deep" / name).write_bytes(data)
    in_zip = {name: faces[name] for name in FACES[40:]} | {"again/000.png": faces[FACES[0]]}
    make_zip(location / "more.zip", in_zip)
    for name in ("empty", "bad"):
        (location / name).mkdir()
    for name in ("text.txt", "broken.zip", "bad/a.png", "bad/b.png"):
        (location / name).write_text("not a picture")
    return location


@pytest.fixture(scope="session")
def output(pile: Path) -> str:
    """The output of the command for the pile; the results are in prepared/."""
    process = run_python("-c", WITHOUT_TORCH, SOURCE, "workers=2", "holdout=0.2", cwd=pile)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == ""
    return err


@pytest.fixture
def prepared(pile: Path, output: str, tmp_path: Path) -> Path:
    """A copy of the results of that run, for out=..."""
    return shutil.copytree(pile / "prepared", tmp_path / "prepared")
