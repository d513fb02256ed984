"""Tests of `evaluate` on finished runs, as users run it."""

import csv
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.metric.by_label import LabelEvaluation
from anime_dcgan.metric.evaluation import Evaluation, open_data
from anime_dcgan.run.entries import read_entry
from anime_dcgan.run.trusted import build
from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError
from tests.processes import Result

Call = Callable[..., Result]
TINY = (
    *(
        "data.count=60",
        "data.holdout=0.4",
        "data.image_size=16",
        "data.batch_size=8",
        "model.latent_dim=6",
    ),
    *("model.generator.width=3", "model.discriminator.width=3", "callbacks.samples.count=4"),
    *("trainer=cpu", "logger=none", "callbacks.quality.every_kimg=0.032", "trainer.max_epochs=3"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, call: Call) -> Path:
    """Return a folder whose outputs/ has a run `a` of three epochs of 32 images."""
    folder = tmp_path_factory.mktemp("evaluated")
    call("train", *TINY, "run=a", cwd=folder)
    return folder


@pytest.fixture
def fresh(folder: Path) -> Path:
    """Return the folder without earlier results."""
    (folder / "outputs/a/evaluations.json").unlink(missing_ok=True)
    return folder


def results(folder: Path) -> list[dict]:
    return json.loads((folder / "outputs/a/evaluations.json").read_text())["rows"]


def test_the_table_has_all_epochs_and_the_floor(call: Call, fresh: Path):
    table = call("evaluate", "run=a", cwd=fresh).stdout
    for text in ("swd/16", "swd/mean", "precision", "coverage", "memorised", "real"):
        assert text in table
    assert [row["epoch"] for row in results(fresh)] == [1, 2, 3]
    assert [row["images"] for row in results(fresh)] == [32, 64, 96]
    with Image.open(fresh / "outputs/a/neighbours.png") as sheet:
        assert sheet.width == 6 * 18 + 2


def test_a_list_of_epochs_needs_no_brackets(call: Call, fresh: Path):
    call("evaluate", "run=a", "epochs=1,3,best", "out=table.csv", cwd=fresh)
    with (fresh / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows[:2]] == ["1", "3"]
    assert rows[3]["epoch"] == "real"
    distances = [float(row["swd/mean"]) for row in rows[:3]]
    assert distances[2] <= min(distances)  # `best` was chosen by the same distance
    call("evaluate", "run=a", "epochs=2", "out=one.json", cwd=fresh)
    content = json.loads((fresh / "one.json").read_text())
    assert content["rows"][0]["epoch"] == 2
    assert content["floor"]["swd/mean"] > 0


def test_several_truncations_are_measured_by_one_command(call: Call, fresh: Path):
    arguments = ("run=a", "epochs=1,3", "truncation=0,0.5,1", "neighbours=false")
    result = call("evaluate", *arguments, "out=curve.csv", cwd=fresh)
    assert "truncation" in result.stdout
    with (fresh / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["truncation"] for row in rows] == ["0", "0.5", "1", "0", "0.5", "1", ""]
    varieties = [float(row["diversity"]) for row in rows]
    assert varieties[0] < 1e-3 < varieties[1] < varieties[2]  # 0 gives the mean face only
    call("evaluate", "run=a", "epochs=1", "out=full.csv", cwd=fresh)
    with (fresh / "full.csv").open() as file:
        assert next(csv.DictReader(file))["swd/16"] == rows[2]["swd/16"]


def test_the_values_equal_those_measured_in_training(call: Call, fresh: Path):
    call("evaluate", "run=a", cwd=fresh)
    trained = json.loads((fresh / "outputs/a/quality.json").read_text())
    assert [row["values"] for row in results(fresh)] == [row["values"] for row in trained["rows"]]


def test_results_are_kept_and_not_measured_again(call: Call, fresh: Path, monkeypatch):
    call("evaluate", "run=a", "epochs=1", cwd=fresh)
    before = results(fresh)
    monkeypatch.setattr(Evaluation, "measure", None)  # would raise
    call("evaluate", "run=a", "epochs=1", cwd=fresh)
    assert results(fresh) == before
    for other in ("epochs=2", "weights=raw", "count=12", "metric.seed=1", "reference=holdout"):
        arguments = ["epochs=1", other] if other != "epochs=2" else [other]
        call("evaluate", "run=a", *arguments, "neighbours=false", cwd=fresh, status=1)


def test_each_class_of_a_labelled_run_is_measured_once(call: Call, folder: Path, monkeypatch):
    settings = ("data.labels=light_side", "data.count=260", "data.holdout=0", "max_kimg=0.032")
    call("train", *TINY, *settings, "run=labelled", cwd=folder)
    before = read_entry(folder / "outputs/labelled", [])
    arguments = ("run=labelled", "epochs=last", "by_label=true", "count=60", "out=labels.csv")
    result = call("evaluate", *arguments, cwd=folder)
    assert "faces are recognised as their class" in result.stderr
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["left", "right"]
    for row in rows:
        assert 0.5 < float(row["real accuracy"]) <= 1 >= float(row["accuracy"])
        assert float(row["swd/mean"]) > float(row["real swd/mean"]) > 0
        assert row["faces"] == "60" and row["recall"]
    monkeypatch.setattr(LabelEvaluation, "measure", None)  # would raise
    assert "right" in call("evaluate", *arguments, cwd=folder).stdout
    notes: list[str] = []
    entry = read_entry(folder / "outputs/labelled", notes)
    assert entry is not None and entry == before and not notes  # for `compare`


def test_classes_of_a_run_without_labels_cannot_be_measured(call: Call, folder: Path):
    result = call("evaluate", "run=a", "by_label=true", cwd=folder, status=2)
    assert "by_label=true: there are no labels" in result.stderr


def test_a_manifest_can_replace_the_real_faces(call: Call, fresh: Path):
    others = fresh / "others"
    others.mkdir(exist_ok=True)
    drawn = DrawnFaces(40, seed=7)
    lines = ["source,name,verdict,split"]
    for number in range(40):
        drawn.read(number, 16).save(others / f"{number:02d}.png")
        lines.append(f"{others},{number:02d}.png,keep,{'train' if number < 36 else 'holdout'}")
    (fresh / "manifest.csv").write_text("\n".join(lines))
    count = ("count=12", "epochs=1", "neighbours=false")
    call("evaluate", "run=a", *count, "out=own.json", cwd=fresh)
    call("evaluate", "run=a", *count, "manifest=manifest.csv", "out=others.json", cwd=fresh)
    own, other = (json.loads((fresh / name).read_text()) for name in ("own.json", "others.json"))
    assert own["floor"] != other["floor"]
    assert own["rows"][0]["values"] != other["rows"][0]["values"]
    moved = call("evaluate", "run=a", *count, "data.path=others", cwd=fresh, status=2)
    assert "trained on other data" in moved.stderr


def test_damaged_results_are_measured_again(call: Call, fresh: Path):
    (fresh / "outputs/a/evaluations.json").write_text('{"rows": [')
    call("evaluate", "run=a", "epochs=1", cwd=fresh)
    assert len(results(fresh)) == 1


def test_epochs_that_the_training_deletes_meanwhile_are_left_out(
    call: Call, folder: Path, tmp_path: Path, monkeypatch
):
    copy = shutil.copytree(folder / "outputs/a", tmp_path / "outputs/a")
    (copy / "evaluations.json").unlink(missing_ok=True)
    real = Evaluation.measure

    def measure(self: Evaluation, contents: Any, path: Path, truncation: float) -> Any:
        for epoch in ("epoch=0001.ckpt", "epoch=0002.ckpt"):  # the first is open already
            (copy / "checkpoints" / epoch).unlink(missing_ok=True)
        return real(self, contents, path, truncation)

    monkeypatch.setattr(Evaluation, "measure", measure)
    result = call("evaluate", "run=a", cwd=tmp_path)
    assert "left out 1 of 3 epochs, deleted meanwhile" in result.stderr
    assert [row["epoch"] for row in results(tmp_path)] == [1, 3]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run=b"], "run=b is not a run"),
        (["run=a", "epochs=9"], "it has: 1, 2, 3, best, last"),
        (["run=a", "epochs=1,many"], "epochs=many is not an epoch"),
        (["run=a", "metric=none"], "use metric=fd, fd_efficientnet, fid, pixels or swd"),
        (["run=a", "metric=[swd,fd]"], "metric=[swd,fd] is not an option: use one of fd, "),
        (["run=a", "weights=best"], "weights=ema or weights=raw"),
        (["run=a", "reference=test"], "reference=train or reference=holdout"),
        (["run=a", "out=table.xls"], ".csv or .json"),
        (["run=a", "out=/proc/table.csv"], "cannot be written"),
        (["run=a", "metric=fd", "metric.extractor.weights=none.pth"], "none.pth is not a file"),
    ],
)
def test_mistakes_are_explained_in_one_line(call: Call, folder: Path, overrides, message):
    result = call("evaluate", *overrides, cwd=folder, status=2)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in result.stderr


def test_missing_data_is_named(call: Call, tmp_path: Path):
    (tmp_path / "faces").mkdir()
    for number in range(24):
        Image.new("RGB", (16, 16), (10 * number, 0, 0)).save(tmp_path / f"faces/{number}.png")
    data = ("data=folder", "data.path=faces", "metric=none", "trainer.max_epochs=1")
    tiny = [
        override
        for override in TINY
        if not override.startswith(("data.count", "callbacks.quality"))
    ]
    call("train", *tiny, *data, "run=a", cwd=tmp_path)
    shutil.rmtree(tmp_path / "faces")
    result = call("evaluate", "run=a", "epochs=last", cwd=tmp_path, status=2)
    assert "faces" in result.stderr


def test_an_untrusted_run_can_build_sources_of_this_package_only(tmp_path: Path):
    for target in ("os.system", "anime_dcgan.model.dcgan.Generator", "anime_dcgan.data.cache.Path"):
        with pytest.raises(UserError, match="refused|is not"):
            build({"_target_": target}, "anime_dcgan.data", DrawnFaces, tmp_path)
    built = build(
        {"_target_": "anime_dcgan.data.drawn.DrawnFaces", "count": 3},
        *("anime_dcgan.data", DrawnFaces, tmp_path),
    )
    assert len(built) == 3


def test_evaluate_starts_without_lightning(folder: Path):
    import os
    import subprocess
    import sys

    from anime_dcgan.system.paths import CONF_DIR

    program = (
        "import sys; sys.argv[1:] = ['run=a', 'epochs=1']\n"
        "from anime_dcgan.evaluate import main; main()\n"
        "assert 'torch' in sys.modules and 'lightning' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(CONF_DIR.parent)}
    subprocess.run(
        [sys.executable, "-c", program], cwd=folder, check=True, env=environment, timeout=120
    )


@pytest.mark.parametrize(
    ("trainer", "dtype"),
    [
        ({"precision": "32-true"}, torch.float32),
        ({"precision": "bf16-mixed"}, torch.bfloat16),
        ({"precision": "auto"}, None),
    ],
)
def test_faces_are_generated_in_the_precision_of_the_training(
    trainer: dict, dtype: torch.dtype | None
):
    from anime_dcgan.metric.evaluation import _device

    fast = precision.choose("cpu")[0] == precision.FAST
    device, drawn = _device("cpu", {"trainer": trainer})
    assert device.type == "cpu"
    assert drawn == (dtype or (torch.bfloat16 if fast else torch.float32))


@pytest.mark.parametrize(
    ("override", "fix"),
    [
        *(("count=abc", "count=2000"), ("count=0", "count=2000"), ("training=1", "training=10000")),
        *(
            ("device=foo", "device=cpu or device=cuda"),
            ("epochs=[]", "epochs=all"),
            ("out=[a]", ".csv"),
        ),
        ("neighbours=abc", "must be true or false"),
    ],
)
def test_invalid_settings_are_refused_with_the_fix(
    call: Call, folder: Path, override: str, fix: str
):
    stderr = call("evaluate", "run=a", override, cwd=folder, status=2).stderr
    assert stderr.startswith("error: ") and fix in stderr and stderr.count("\n") == 1


def test_a_checkpoint_does_not_decide_where_evaluate_writes(call: Call, fresh: Path):
    run = fresh / "outputs/stranger"
    shutil.copytree(fresh / "outputs/a", run)
    for path in (run / "checkpoints").iterdir():
        contents = torch.load(path, weights_only=True)
        contents["config"]["data"] |= {"cache_dir": str(fresh / "stolen"), "workers": 10**6}
        torch.save(contents, path)
    call("evaluate", "run=stranger", "epochs=1", "neighbours=false", cwd=fresh)
    assert not (fresh / "stolen").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 16.0}, "data.image_size is 16.0"),
        ({"image_size": 10**6}, "data.image_size is 1000000"),
        ({"holdout": "a"}, "data.holdout or seed"),
        ({"source": [1]}, "does not name the class"),
        ({"source": {"_target_": "anime_dcgan.data.folder.FolderFaces", "path": "a\0b"}}, "null"),
        ({"source": {"_target_": "anime_dcgan.data.drawn.DrawnFaces", "count": "x"}}, "built"),
    ],
)
def test_settings_of_other_types_in_a_checkpoint_are_refused(tmp_path: Path, changes, message):
    source = {"_target_": "anime_dcgan.data.drawn.DrawnFaces", "count": 40}
    data = {"source": source, "image_size": 16, "holdout": 0.1, **changes}
    own = OmegaConf.create({"path": None, "cache_dir": str(tmp_path)})
    with pytest.raises(UserError, match=message):
        open_data({"data": data, "seed": 0}, tmp_path / "a.ckpt", own)


def test_the_labels_of_a_run_are_read_again(tmp_path: Path):
    source = {"_target_": "anime_dcgan.data.drawn.DrawnFaces", "count": 40}
    data = {"source": source, "image_size": 16, "holdout": 0.1, "labels": "crown"}
    own = OmegaConf.create({"path": None, "cache_dir": str(tmp_path)})
    faces = open_data({"data": data, "seed": 0}, tmp_path / "a.ckpt", own)
    assert faces.label_names == ("ahoge", "smooth", "tufted")
    assert "labels" in faces.fingerprint()["training"]
    data["labels"] = {"a": 1}
    with pytest.raises(UserError, match="is not a factor of drawn faces"):
        open_data({"data": data, "seed": 0}, tmp_path / "a.ckpt", own)


def test_a_checkpoint_does_not_decide_what_is_downloaded(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)  # would raise
    hub = {
        "_target_": "anime_dcgan.data.hub.HubFaces",
        "repo": "a/b",
        "endpoint": "http://x.invalid",
    }
    source = hub | {"cache_dir": str(tmp_path / "stolen")}
    data = {"source": source, "image_size": 16, "holdout": 0.1}
    settings = {"path": None, "cache_dir": str(tmp_path), "fetch_dir": str(tmp_path / "hub")}
    own = OmegaConf.create({**settings, "fetch": False})
    with pytest.raises(UserError, match="data.fetch=true"):
        open_data({"data": data, "seed": 0}, tmp_path / "a.ckpt", own)
    assert not (tmp_path / "stolen").exists()
