"""Tests of TensorBoard's HParams tab, read through its own plugin."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import (
    api_pb2,
    backend_context,
    get_experiment,
    list_session_groups,
)

from tests.conftest import Train

LOGGED = ("logger=tensorboard", "callbacks.quality.every_kimg=0.016", "callbacks.quality.count=12")


def shown(folder: Path) -> tuple[set[str], list[Any]]:
    """Return the columns and the rows of the tab."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    context = backend_context.Context(TBContext(logdir=str(folder), data_provider=provider))
    http_request = RequestContext()
    api: Any = api_pb2
    experiment = get_experiment.Handler(http_request, context, "", api.GetExperimentRequest()).run()
    columns = {info.name for info in experiment.hparam_infos}
    metrics = {info.name.tag for info in experiment.metric_infos}
    assert metrics == {"distance/last", "distance/best"}
    request = api.ListSessionGroupsRequest(
        start_index=0,
        slice_size=100,
        allowed_statuses=[number for _, number in api.Status.items()],
    )
    for name in experiment.metric_infos:
        request.col_params.add(metric=name.name)
    answer = list_session_groups.Handler(http_request, context, "", request).run()
    return columns, list(answer.session_groups)


def distances(run: Path) -> list[float]:
    content = json.loads((run / "quality.json").read_text())
    return [row["values"][content["metric"]["headline"]] for row in content["rows"]]


def values(group: Any) -> dict[str, tuple[float, int]]:
    return {value.name.tag: (value.value, value.training_step) for value in group.metric_values}


def wait_for_the_next_second() -> None:
    """Wait until new event files sort after the earlier ones: in a second, 10 is before 9."""
    start = int(time.time())
    while int(time.time()) == start:
        time.sleep(0.01)


def test_the_tab_shows_settings_and_distances_of_several_runs(train: Train, tmp_path: Path):
    """Settings of only one run are shown too, whichever run TensorBoard finds first."""
    train(*LOGGED, "loss=hinge", "max_kimg=0.032", run="b")
    train(*LOGGED, "loss=wgan", "seed=3", "trainer.max_epochs=1", run="a")
    columns, groups = shown(tmp_path)
    assert {"loss._target_", "regularizer.limit", "optimizer.generator.lr"} <= columns
    first, second = sorted(groups, key=lambda group: group.hparams["seed"].number_value)
    assert first.hparams["loss._target_"].string_value == "anime_dcgan.game.loss.Hinge"
    assert second.hparams["loss._target_"].string_value == "anime_dcgan.game.loss.WGAN"
    assert second.hparams["gan.critic_steps"].number_value == 5
    for group, name in ((first, "b"), (second, "a")):
        measured = distances(tmp_path / name)
        found = values(group)
        assert found["distance/last"] == (pytest.approx(measured[-1], rel=1e-5), 32)
        assert found["distance/best"][0] == pytest.approx(min(measured), rel=1e-5)


def test_a_resumed_run_stays_one_row_with_its_latest_distance(train: Train, tmp_path: Path):
    train(*LOGGED, "max_kimg=0.016")
    wait_for_the_next_second()
    last = tmp_path / "run/checkpoints/last.ckpt"
    train(*LOGGED, "max_kimg=0.048", ckpt_path=last)
    _, (group,) = shown(tmp_path)
    measured = distances(tmp_path / "run")
    assert len(measured) == 3
    assert values(group)["distance/last"] == (pytest.approx(measured[-1], rel=1e-5), 48)


@pytest.mark.parametrize("logger", ["csv", "none"])
def test_nothing_is_written_without_tensorboard(train: Train, tmp_path: Path, logger: str):
    train(f"logger={logger}", "max_kimg=0.008")
    assert not list(tmp_path.rglob("events.out.tfevents*"))


def test_a_run_without_measurements_writes_its_settings(train: Train, tmp_path: Path):
    train("metric=none", "logger=tensorboard", "max_kimg=0.008")
    assert list((tmp_path / "run/tensorboard/hparams").iterdir())
