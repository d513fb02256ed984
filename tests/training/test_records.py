"""Loggers of experiment trackers: grids, steps in images, and one record after a resume."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lightning.pytorch.loggers import Logger, mlflow, wandb
from PIL import Image

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.fit import Incomplete
from anime_dcgan.training.records import RECORD_SETTING
from tests.conftest import Train

OFTEN = ("metric=none", "callbacks.scalars.every_kimg=0.032")


class FakeTracker(Logger):
    """A logger as Lightning has them for trackers."""

    made: ClassVar[list["FakeTracker"]] = []

    def __init__(self, record: str = "", broken: bool = False) -> None:
        super().__init__()
        self.record = record or f"record {len(self.made)}"
        self.broken = broken
        self.calls: list[tuple[int | None, str]] = []
        self.made.append(self)

    name = property(lambda self: "fake")
    version = property(lambda self: self.record)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self.broken:
            raise ConnectionError("no route to host")
        self.calls.append((step, "metrics"))

    def log_image(self, key: str, images: list[Image.Image], step: int | None = None) -> None:
        assert isinstance(images[0], Image.Image)
        self.calls.append((step, key))


FAKE = f"+logger.fake._target_={__name__}.FakeTracker"


@pytest.fixture(autouse=True)
def forget(monkeypatch) -> None:
    monkeypatch.setattr(FakeTracker, "made", [])
    monkeypatch.setitem(RECORD_SETTING, "FakeTracker", "record")


def test_any_logger_with_log_image_gets_grids_and_counts_images(train: Train):
    train(*OFTEN, FAKE)
    grids = [(images, f"samples/{name}") for images in (32, 64) for name in ("ema", "raw")]
    points = [(images, "metrics") for images in (32, 64)]
    assert sorted(FakeTracker.made[0].calls) == sorted([*grids, *points])


def test_a_resumed_run_continues_its_record_and_other_runs_begin_one(train: Train, tmp_path: Path):
    train(*OFTEN, FAKE, "trainer.max_epochs=1")
    last = tmp_path / "run/checkpoints/last.ckpt"
    train(*OFTEN, FAKE, ckpt_path=last)
    train(*OFTEN, FAKE, run="branch", ckpt_path=last)
    train(*OFTEN, FAKE, "+logger.fake.record=chosen", ckpt_path=last)
    assert [each.record for each in FakeTracker.made] == [
        *("record 0", "record 0", "record 2", "chosen")
    ]
    assert json.loads((tmp_path / "run/trackers.json").read_text()) == {"FakeTracker": "chosen"}


def test_a_server_that_is_lost_does_not_end_the_training(train: Train, tmp_path: Path, capsys):
    with pytest.raises(Incomplete, match="FakeTracker .no route to host"):
        train(*OFTEN, FAKE, "+logger.fake.broken=true")
    assert capsys.readouterr().err.count("FakeTracker cannot be written") == 1
    assert (tmp_path / "run/finished.json").exists()


@pytest.mark.parametrize(
    ("name", "module", "flag"),
    [("wandb", wandb, "_WANDB_AVAILABLE"), ("mlflow", mlflow, "_MLFLOW_AVAILABLE")],
)
def test_a_missing_package_is_named_with_its_extra(
    train: Train, monkeypatch, name: str, module: Any, flag: str
):
    monkeypatch.setattr(module, flag, False)
    with pytest.raises(UserError, match=rf'logger={name} needs .*pip install -e "\.\[{name}\]"'):
        train(*OFTEN, f"logger={name}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", ["anime_dcgan.training.logger", "lightning.pytorch.loggers"])
def test_wandb_has_grids_and_curves_in_one_record(train: Train, tmp_path: Path, target: str):
    package = pytest.importorskip("wandb")
    arguments = (*OFTEN, "logger=wandb", f"logger.wandb._target_={target}.WandbLogger")
    train(*arguments, "trainer.max_epochs=1", run="a")
    package.finish()
    train(*arguments, run="a", ckpt_path=tmp_path / "a/checkpoints/last.ckpt")
    package.finish()
    folders = sorted((tmp_path / "a/wandb").glob("offline-run-*"))
    assert len(folders) == 2
    assert len({folder.name.rpartition("-")[2] for folder in folders}) == 1
    for folder, grids in zip(folders, (2, 4), strict=True):  # an epoch's end is repeated
        assert len(list((folder / "files/media/images/samples").glob("*.png"))) == grids


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", ["anime_dcgan.training.logger", "lightning.pytorch.loggers"])
def test_mlflow_has_grids_and_curves_in_one_record(train: Train, tmp_path: Path, target: str):
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    arguments = (
        *(*OFTEN, "logger=mlflow", f"logger.mlflow._target_={target}.MLFlowLogger"),
        *(f"logger.mlflow.tracking_uri={uri}", f"logger.mlflow.artifact_location={tmp_path}/art"),
    )
    train(*arguments, "trainer.max_epochs=1", run="a")
    train(*arguments, run="a", ckpt_path=tmp_path / "a/checkpoints/last.ckpt")
    client = MlflowClient(uri)
    (experiment,) = (each for each in client.search_experiments() if each.name == "anime_dcgan")
    (record,) = client.search_runs([experiment.experiment_id])
    points = client.get_metric_history(record.info.run_id, "loss/generator")
    assert [point.step for point in points] == [32, 64]
    grids = client.list_artifacts(record.info.run_id, "images")
    named = {each.path.partition("+timestamp")[0] for each in grids}
    assert named == {f"images/samples~{w}+step+{n}" for w in ("ema", "raw") for n in (32, 64)}
