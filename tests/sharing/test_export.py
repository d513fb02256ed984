import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.run.exported import DESCRIPTION, WEIGHTS
from anime_dcgan.sharing.export import FILES
from anime_dcgan.sharing.facts import facts_of
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.program import export_torch
from anime_dcgan.sharing.verify import Reference
from tests.checkpoints import make_checkpoint
from tests.processes import Result
from tests.run_folder import row, write_quality, write_verdict
from tests.sharing.generators import KINDS, LABELS, small_generator

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, call: Call) -> Path:
    """Return a folder with a run, and an export of it."""
    folder = tmp_path_factory.mktemp("user")
    run = folder / "outputs/first"
    path = make_checkpoint(run / "checkpoints/best.ckpt", labels=("blue", "red"))
    contents = torch.load(path)
    data = {"image_size": 16, "holdout": None, "labels": None, "source": {"path": str(folder)}}
    contents["config"] |= {"data": data, "seed": 0}
    torch.save(contents, path)
    write_quality(run, [row(1, swd_all=30.0), row(2, swd_all=9.0)], swd_all=3.0)
    write_verdict(run, "learning", reasons=["it <b>still</b> falls"])
    call(
        "export",
        "run=first",
        "epoch=best",
        "format=torch,onnx",
        "out=mine",
        "license=mit",
        cwd=folder,
    )
    return folder


def grid(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_an_export_has_its_files_and_only_facts(user: Path):
    names = {path.name for path in (user / "mine").iterdir()}
    assert names == FILES
    content = json.loads((user / "mine" / DESCRIPTION).read_text())
    assert (content["run"], content["epoch"], content["images"]) == ("first", 1, 1000)
    quality = content["quality"]
    assert (quality["value"], quality["floor"]) == (30.0, 3.0)
    assert content["labels"] == ["blue", "red"] and content["bits"] in (16, 32)
    everything = b"".join(path.read_bytes() for path in (user / "mine").iterdir())
    assert str(user).encode() not in everything


def test_the_card_states_what_the_model_is(user: Path):
    text = (user / "mine/README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: mit\nlibrary_name: anime_dcgan\n")
    for part in ("`swd/all` is 30.00", "floor, is 3.00", "faces.png", "0 blue; 1 red"):
        assert part in text
    assert "\\<b\\>still" in text and "<b>" not in text


def test_the_lines_of_the_card_draw_the_faces_of_generate(
    user: Path, call: Call, monkeypatch: pytest.MonkeyPatch
):
    text = (user / "mine/README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(user / "mine")
    for code in reversed(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
        assert "anime_dcgan" not in code
        (user / "mine/drawn.png").unlink(missing_ok=True)
        exec(code.replace('"faces.png"', '"drawn.png"'), {})
    shutil.move(user / "mine/drawn.png", user / "drawn.png")
    call("generate", "run=mine", "n=16", "label=blue", "out=row", "overwrite=true", cwd=user)
    expected = np.concatenate([grid(path) for path in sorted((user / "row").iterdir())], axis=1)
    assert np.abs(grid(user / "drawn.png") - expected).max() <= 2


@pytest.mark.parametrize(("kind", "labels"), [*((kind, LABELS) for kind in KINDS), ("radford", ())])
def test_a_program_draws_the_faces_of_generate(kind: str, labels: tuple[str, ...], tmp_path: Path):
    generator = small_generator(kind, labels)
    network = SharedGenerator(generator)
    found = export_torch(network, tmp_path / "generator.pt2", Reference(generator))
    assert found.maximum <= 1


def test_an_export_is_exported_again_with_its_facts(user: Path, call: Call):
    (user / "again").mkdir()
    call("export", "run=mine", "out=again", "half=false", cwd=user)
    before, after = (
        json.loads((user / name / DESCRIPTION).read_text()) for name in ("mine", "again")
    )
    assert after["bits"] == 32 and after["quality"] == before["quality"]
    assert after["digest"] == before["digest"]


def test_the_facts_are_those_of_the_run_of_a_checkpoint_that_is_named_by_its_path(user: Path):
    path = user / "outputs/first/checkpoints/best.ckpt"
    contents = torch.load(path)
    facts = facts_of(path.parent.parent, contents, "ema")
    assert facts["quality"]["value"] == 30.0 and facts["verdict"]
    facts = facts_of(None, contents, "ema")
    assert (facts["run"], facts["quality"], facts["verdict"]) == (None, None, None)
    assert facts["recipe"]


@pytest.mark.parametrize("command", ["export", "publish"])
def test_a_damaged_run_is_not_blamed_on_out(user: Path, call: Call, command: str):
    shutil.copytree(user / "mine", user / "damaged", dirs_exist_ok=True)
    content = json.loads((user / "damaged" / DESCRIPTION).read_text())
    (user / "damaged" / DESCRIPTION).write_text(json.dumps(content | {"digest": "other"}))
    result = call(command, "run=damaged", "out=new", cwd=user, status=2)
    assert result.stderr.startswith("error: damaged/generator.safetensors cannot be read: it does")


@pytest.mark.parametrize("command", ["export", "publish"])
def test_the_working_directory_is_not_replaced(call: Call, command: str, tmp_path: Path):
    result = call(command, "run=demo", "out=.", cwd=tmp_path, status=2)
    assert "out=. does not end in the name of a folder: use out=" in result.stderr


def test_facts_of_a_stranger_that_are_damaged_are_left_out(user: Path, call: Call):
    shutil.copytree(user / "mine", user / "strange")
    content = json.loads((user / "strange" / DESCRIPTION).read_text())
    content |= {"run": "a`<b>|", "data": [], "quality": {"headline": 1}, "verdict": {"verdict": 1}}
    content["recipe"] = {"`|": "`a`"}
    content["fingerprint"] = {"training": {"count": "many"}}
    (user / "strange" / DESCRIPTION).write_text(json.dumps(content))
    call("export", "run=strange", "out=plain", "data_name=mine", cwd=user)
    text = (user / "plain/README.md").read_text(encoding="utf-8")
    assert "not measured at this epoch" in text and "| `` | `a` |" in text
    assert "| pictures of mine;" in text
    assert "# a\\`\\<b\\>\\|" in text and "verdict" not in text


@pytest.mark.parametrize("kind", ["exists", "foreign", "file", "outputs"])
def test_nothing_else_is_overwritten(user: Path, call: Call, kind: str, tmp_path: Path):
    if kind == "exists":
        overrides, message = ("out=mine",), "out=mine exists: .*overwrite=true"
    elif kind == "foreign":
        shutil.copytree(user / "mine", user / "foreign")
        (user / "foreign/notes.txt").touch()
        overrides, message = ("out=foreign", "overwrite=true"), "not only an export .*notes.txt"
    elif kind == "file":
        (user / "file").touch()
        overrides, message = ("out=file", "overwrite=true"), "out=file is not a folder"
    else:
        overrides, message = ("out=outputs", "overwrite=true"), "not only an export .*first"
    result = call("export", "run=first", "epoch=best", *overrides, cwd=user, status=2)
    assert re.search(message, result.stderr)


def test_an_interrupted_export_leaves_nothing(
    user: Path, call: Call, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anime_dcgan.sharing.export.write_card", interrupt)
    before = sorted(path.name for path in user.iterdir())
    call("export", "run=first", "epoch=best", "out=late", cwd=user, status=130)
    assert sorted(path.name for path in user.iterdir()) == before
    assert (user / "mine" / WEIGHTS).is_file()


def test_an_export_has_no_report(user: Path, call: Call):
    result = call("report", "run=mine", cwd=user, status=2)
    assert "run=mine is an exported generator" in result.stderr


def test_an_export_is_measured_without_pictures_of_the_data_in_it(user: Path, call: Call):
    result = call("evaluate", "run=mine", "count=4", cwd=user, status=2)
    assert "use data.path=... for these, or manifest=..." in result.stderr
    drawn = DrawnFaces(60)
    (user / "faces").mkdir()
    for number in range(60):
        drawn.read(number, 64).save(user / "faces" / f"{number}.png")
    call("prepare", "source=faces", "out=prepared", "workers=1", cwd=user)
    before = sorted((user / "mine").iterdir())
    manifest = "manifest=prepared/manifest.csv"
    call("evaluate", "run=mine", manifest, "count=20", "training=20", cwd=user)
    assert sorted((user / "mine").iterdir()) == before
    assert [*(user / "outputs/exported").glob("mine-*/evaluations.json")]
