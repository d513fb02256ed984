"""What TensorBoard's HParams tab reads, read back by TensorBoard's own code."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import EXPERIMENT_TAG, SESSION_START_INFO_TAG
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,  # pyright: ignore[reportAttributeAccessIssue]
)

from tests.conftest import Train

MEASURED = ("callbacks.quality.every_kimg=0.016", "callbacks.quality.count=12", "max_kimg=0.032")


def plugin_data(run: Path, tag: str) -> HParamsPluginData:
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    return HParamsPluginData.FromString(events.SummaryMetadata(tag).plugin_data.content)


def test_the_tab_has_the_settings_and_the_distance(train: Train, tmp_path: Path):
    train(*MEASURED, "loss=wgan", "seed=3", "logger=tensorboard", run="a")
    start = plugin_data(tmp_path / "a", SESSION_START_INFO_TAG).session_start_info
    said = dict(start.hparams)
    assert said["loss._target_"].string_value == "anime_dcgan.loss.WGAN"
    assert said["regularizer.limit"].number_value == 0.01
    assert said["seed"].number_value == 3
    assert not [key for key in said if key.startswith(("run", "callbacks", "gan.loss"))]
    (metric,) = plugin_data(tmp_path / "a", EXPERIMENT_TAG).experiment.metric_infos
    events = EventAccumulator(str(tmp_path / "a" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars(metric.name.tag)] == [16, 32]


def test_without_a_metric_or_tensorboard_it_asks_for_nothing(train: Train, tmp_path: Path):
    train("metric=none", "logger=tensorboard", "trainer.max_epochs=1", run="a")
    assert not plugin_data(tmp_path / "a", EXPERIMENT_TAG).experiment.metric_infos
    train(*MEASURED, "logger=csv", run="b")
    assert not (tmp_path / "b" / "tensorboard").exists()
