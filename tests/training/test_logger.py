"""Logs that cannot be written: the training ends with its weights, and reports the gaps."""

import errno
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import Callback, LightningModule, Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from anime_dcgan.run.runs import by_epoch
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.fit import Incomplete, fit
from anime_dcgan.training.logger import CSVLogger, TensorBoardLogger
from tests.conftest import Train, assert_same_weights

OFTEN = ("metric=none", "callbacks.scalars.every_kimg=0.008")


@pytest.fixture
def full_disk(monkeypatch) -> list[bool]:
    """Return a list; while it is empty, no event is written, and the writer's thread fails."""
    has_room: list[bool] = []
    write = RecordWriter.write

    def write_if_room(self: RecordWriter, data: bytes) -> None:
        if not has_room:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, data)

    monkeypatch.setattr(RecordWriter, "write", write_if_room)
    return has_room


class Act(Callback):
    """Call a function after the first epoch."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch == 0:
            self.function()


def test_a_full_disk_ends_no_training_and_is_reported_in_one_line(
    train: Train, tmp_path: Path, full_disk, capsys
):
    threads = threading.active_count()
    with pytest.raises(Incomplete, match=r"tensorboard.* \(.*No space left"):
        train(*OFTEN, "logger=tensorboard")
    stderr = capsys.readouterr().err
    assert stderr.count("run/tensorboard cannot be written") == 1
    assert "Traceback" not in stderr
    assert threading.active_count() <= threads + 4
    assert (tmp_path / "run/finished.json").exists()
    assert by_epoch(tmp_path / "run/checkpoints", ".ckpt")
    assert not (tmp_path / "run/failure.json").exists()


def test_logs_continue_when_there_is_room_again(tmp_path: Path, full_disk):
    logger = TensorBoardLogger(str(tmp_path), name="tensorboard", version="")
    logger.log_metrics({"loss": 1.0}, 1)
    assert logger.failure is not None
    full_disk.append(True)
    logger.log_metrics({"loss": 2.0}, 2)
    logger.finalize("success")
    events = EventAccumulator(logger.log_dir).Reload()
    assert [event.step for event in events.Scalars("loss")] == [2]


def test_rows_of_a_csv_file_are_written_later(tmp_path: Path):
    logger = CSVLogger(str(tmp_path), name="csv", version="")
    logger.log_metrics({"loss": 1.0}, 1)
    shutil.rmtree(tmp_path / "csv")
    (tmp_path / "csv").touch()
    logger.save()
    assert logger.failure is not None
    (tmp_path / "csv").unlink()
    (tmp_path / "csv").mkdir()
    logger.finalize("success")
    assert logger.failure is None
    assert "1.0" in (tmp_path / "csv/metrics.csv").read_text()


@pytest.mark.parametrize("name", ["tensorboard", "csv"])
def test_a_file_at_the_place_of_the_folder_changes_no_weights(
    small, train: Train, tmp_path: Path, name: str, capsys
):
    def replace() -> None:
        shutil.rmtree(tmp_path / "run" / name)
        (tmp_path / "run" / name).touch()

    config = small(*OFTEN, f"logger={name}")
    with pytest.raises(Incomplete, match=f"run/{name} "):
        fit(config, tmp_path / "run", callbacks=[Act(replace)])
    assert capsys.readouterr().err.count(f"run/{name} cannot be written") == 1
    whole = train(*OFTEN, run="whole")
    resumed = train(*OFTEN, run="resumed", ckpt_path=tmp_path / "run/checkpoints/last.ckpt")
    assert_same_weights(whole, resumed)


def test_a_folder_that_cannot_be_made_is_refused_before_the_training(train: Train, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/tensorboard").touch()
    with pytest.raises(UserError, match="run/tensorboard/ cannot be written .* or logger=none"):
        train(*OFTEN, "logger=tensorboard", "max_kimg=0.016")
