"""Tests of the generator that comes with the package."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from anime_dcgan.data.synthetic.factors import HAIR_COLOURS
from anime_dcgan.run.runs import find_run
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.paths import CONF_DIR, DEMO_DIR
from tests.checkpoints import make_checkpoint
from tests.processes import Result


def test_the_demo_is_small_and_made_of_drawn_faces():
    assert (DEMO_DIR / "generator.safetensors").stat().st_size < 2_000_000
    assert sum(path.stat().st_size for path in DEMO_DIR.iterdir()) < 2_500_000
    description = json.loads((DEMO_DIR / "generator.json").read_text())
    assert description["bits"] == 16 and set(description["labels"]) == set(HAIR_COLOURS)


def test_the_demo_draws_faces_of_each_label(call: Callable[..., Result], tmp_path: Path):
    call("generate", "run=demo", "labels=pink,blue", "n=3", "out=a.png", cwd=tmp_path)
    pink, blue = (face_row.resize((1, 1)).getpixel((0, 0)) for face_row in rows(tmp_path / "a.png"))
    assert pink[0] > blue[0] and pink[2] < blue[2]  # type: ignore[index]


def rows(path: Path) -> list[Image.Image]:
    sheet = Image.open(path).convert("RGB")
    middle = sheet.height // 2
    return [sheet.crop((0, top, sheet.width, top + middle)) for top in (0, middle)]


def test_a_run_of_the_users_own_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    outputs = tmp_path / "outputs"
    assert find_run("demo", outputs) == DEMO_DIR
    with pytest.raises(UserError, match="run=demo, which comes with the program"):
        find_run("latest", outputs)
    make_checkpoint(outputs / "demo/checkpoints/last.ckpt")
    assert find_run("demo", outputs) == outputs / "demo"


def test_a_generator_is_read_without_the_compiler_of_torch():
    script = (
        "import sys; from anime_dcgan.run.checkpoint import load_generator\n"
        "from anime_dcgan.run.runs import PACKAGED, find_checkpoint\n"
        "load_generator(find_checkpoint(PACKAGED['demo'], 'last'))\n"
        "assert not {'torch._dynamo', 'sympy'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)
