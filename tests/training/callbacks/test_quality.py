"""Tests of measuring during training: values, best checkpoint, verdict, and no side effects."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anime_dcgan.game.duality import DualityGap
from anime_dcgan.metric.evaluator import Evaluator
from anime_dcgan.run.checkpoint import read
from anime_dcgan.run.runs import find_checkpoint
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks.equilibrium import Equilibrium
from anime_dcgan.training.fit import Incomplete
from anime_dcgan.training.gan import GAN
from tests.conftest import Train, assert_same_weights

OFTEN = ("callbacks.quality.every_kimg=0.016", "callbacks.quality.count=12")
LENIENT = (
    *("patience=2", "plateau_fraction=0", "tolerance=99", "max_swing=99"),
    *("max_gap_fraction=99", "diverged_factor=99", "collapse_fraction=0", "min_diversity=0"),
)
AT_ONCE = tuple(f"equilibrium.rules.{rule}" for rule in LENIENT)


def quality(run: Path) -> dict[str, Any]:
    return json.loads((run / "quality.json").read_text())


def verdict(run: Path) -> dict[str, Any]:
    return json.loads((run / "equilibrium.json").read_text())


def test_quality_is_measured_at_intervals_and_at_the_end(train: Train, tmp_path: Path):
    train(*OFTEN, "max_kimg=0.04")
    content = quality(tmp_path / "run")
    assert [row["images"] for row in content["rows"]] == [16, 32, 40]
    assert [row["epoch"] for row in content["rows"]] == [0.5, 1, 1.25]
    assert content["metric"]["headline"] == "swd/mean"
    names = {"swd/16", "swd/mean", "precision", "recall", "density", "coverage"}
    for values in (content["floor"], content["rows"][-1]["values"]):
        assert set(values) == names | {"diversity", "memorised"}
    with Image.open(tmp_path / "run/neighbours.png") as sheet:
        assert sheet.width == 6 * 18 + 2


def test_the_best_checkpoint_has_the_lowest_distance(train: Train, tmp_path: Path, monkeypatch):
    distances = iter([9.0, 4.0, 6.0, 5.0])
    floor = {"swd/mean": 1.0, "diversity": 1.0}
    monkeypatch.setattr(
        Evaluator, "measure", lambda self, pixels: {**floor, "swd/mean": next(distances)}
    )
    train(*OFTEN, "max_kimg=0.064")
    assert read(find_checkpoint(tmp_path / "run", "best"))["images_seen"] == 32
    assert read(find_checkpoint(tmp_path / "run", "last"))["images_seen"] == 64
    assert read(find_checkpoint(tmp_path / "run", "best"))["epochs_done"] == 1


def test_measuring_leaves_the_weights_bit_equal(train: Train):
    for model in ("dcgan", "radford"):
        measured = train(*OFTEN, run=f"{model}-with", model=model)
        alone = train("metric=none", run=f"{model}-without", model=model)
        assert_same_weights(measured, alone)


def test_metric_none_writes_no_files_of_measurements(train: Train, tmp_path: Path):
    train("metric=none")
    names = {path.name for path in (tmp_path / "run").rglob("*")}
    assert not names & {"quality.json", "equilibrium.json", "best.ckpt", "neighbours.png"}


def test_resuming_gives_the_same_values_and_verdict(train: Train, tmp_path: Path):
    train(*OFTEN, "trainer.max_epochs=3", run="whole")
    train(*OFTEN, "trainer.max_epochs=3", "max_kimg=0.056", run="parts")
    last = tmp_path / "parts/checkpoints/last.ckpt"
    train(*OFTEN, "trainer.max_epochs=3", run="parts", ckpt_path=last)
    whole, parts = (quality(tmp_path / run)["rows"] for run in ("whole", "parts"))
    assert _without_timing([row for row in parts if row["images"] != 56]) == _without_timing(whole)
    histories = [verdict(tmp_path / run)["history"] for run in ("whole", "parts")]
    kept = [row for row in histories[1] if row["images"] != 56]
    assert _without_timing(kept) == _without_timing(histories[0])


def test_measurements_after_the_resumed_checkpoint_are_repeated(train: Train, tmp_path: Path):
    train(*OFTEN, "trainer.max_epochs=2")
    first = tmp_path / "run/checkpoints/epoch=0001.ckpt"
    rows = quality(tmp_path / "run")["rows"]
    train(*OFTEN, "trainer.max_epochs=2", ckpt_path=first)
    assert _without_timing(quality(tmp_path / "run")["rows"]) == _without_timing(rows)


def test_changed_metric_settings_start_a_new_file_and_keep_the_old_one(
    train: Train, tmp_path: Path, capsys
):
    train(*OFTEN, "max_kimg=0.032")
    last = tmp_path / "run/checkpoints/last.ckpt"
    train(*OFTEN, "max_kimg=0.064", "metric.seed=1", ckpt_path=last)
    assert "kept in" in capsys.readouterr().err
    kept = json.loads((tmp_path / "run/quality-until-32.json").read_text())
    assert [row["images"] for row in kept["rows"]] == [16, 32]
    assert [row["images"] for row in quality(tmp_path / "run")["rows"]] == [48, 64]
    assert [row["images"] for row in verdict(tmp_path / "run")["history"]] == [48, 64]


def test_an_unknown_headline_is_refused_before_training(train: Train):
    with pytest.raises(UserError, match=r"metric.headline=swd/64.*use swd/16, swd/mean"):
        train(*OFTEN, "metric.headline=swd/64")
    with pytest.raises(UserError, match="reference=test"):
        train(*OFTEN, "callbacks.quality.reference=test")


def _without_timing(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    varying = {"seconds", "hours", "accuracy_real", "accuracy_fake"}  # means since the last log
    return [{name: row[name] for name in row if name not in varying} for row in rows]


def test_the_verdict_is_written_with_reasons_and_measurements(train: Train, tmp_path: Path):
    train(*OFTEN, *AT_ONCE, "max_kimg=0.064")
    content = verdict(tmp_path / "run")
    assert content["verdict"] == "equilibrium"
    assert content["epoch"] == 0.5
    assert content["images"] == 16
    assert any("distance" in reason for reason in content["reasons"])
    (*_, last) = content["history"]
    assert last["gap"] == pytest.approx(last["gap_discriminator"] + last["gap_generator"])
    assert 0 <= last["accuracy_real"] <= 1
    assert last["distance"] == quality(tmp_path / "run")["rows"][-1]["values"]["swd/mean"]


def test_an_equilibrium_ends_the_run_only_with_stop(train: Train):
    settings = (*OFTEN, *AT_ONCE, "trainer.max_epochs=4")
    assert train(*settings, run="on").images_seen == 128
    stopped = train(*settings, "equilibrium.stop=true", run="stop")
    assert stopped.images_seen == 48


def test_the_verdict_is_logged_to_tensorboard(train: Train, tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(*OFTEN, *AT_ONCE, "max_kimg=0.064", "logger=tensorboard")
    events = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    reached = [(event.step, event.value) for event in events.Scalars("equilibrium/reached")]
    assert reached == [(16, 0), (32, 0), (48, 1), (64, 1)]
    assert {"quality/swd/mean", "quality_floor/swd/mean", "equilibrium/gap"} <= set(
        events.Tags()["scalars"]
    )
    texts = [event.step for event in events.Tensors("verdict/text_summary")]
    assert texts == [16, 48]


def test_the_gap_is_measured_on_held_out_faces(train: Train, monkeypatch):
    """No training image is used, and no image is used on both sides."""
    used: list[set[bytes]] = []

    def gap(game: Any, batches: Any, latents: Any, real: Any, *others: Any) -> DualityGap:
        trained_on = {image.numpy().tobytes() for batch in batches for image in batch}
        used.extend([trained_on, {image.numpy().tobytes() for image in real}])
        return DualityGap(0.0, 0.0)

    monkeypatch.setattr("anime_dcgan.training.callbacks.equilibrium.duality_gap", gap)
    module = train(*OFTEN, "max_kimg=0.016", "equilibrium.count=4")
    faces = module.trainer.datamodule.faces  # type: ignore[attr-defined]
    trained_on, evaluated_on = used
    assert trained_on and evaluated_on and not trained_on & evaluated_on
    assert len(trained_on | evaluated_on) <= len(faces.holdout_rows)


def test_too_few_faces_disable_measuring_with_a_reason(train: Train, tmp_path: Path, capsys):
    train(*OFTEN, "data.count=20", "data.holdout=0.38", "data.batch_size=4", "max_kimg=0.016")
    assert (
        "sample quality is not measured: 16 different faces are too few" in capsys.readouterr().err
    )
    assert not (tmp_path / "run/quality.json").exists()


def test_a_full_disk_does_not_end_the_training(train: Train, monkeypatch, capsys):
    def full(path: Path, content: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("anime_dcgan.training.callbacks.quality.write_json", full)
    monkeypatch.setattr("anime_dcgan.training.callbacks.equilibrium.write_json", full)
    with pytest.raises(Incomplete, match=r"quality.json .no space left.*equilibrium.json"):
        train(*OFTEN, "max_kimg=0.032")
    assert "quality.json cannot be written (no space left)" in capsys.readouterr().err


def test_zero_steps_are_refused():
    with pytest.raises(UserError, match="equilibrium.steps=0"):
        Equilibrium("file", steps=0)


def test_the_gap_uses_training_faces_without_a_hold_out_split(train: Train, tmp_path: Path):
    train(*OFTEN, "data.holdout=0", "max_kimg=0.016")
    assert verdict(tmp_path / "run")["history"][0]["gap"] != 0


def test_the_gap_of_critics_with_penalties_is_measured(train: Train, tmp_path: Path):
    train(*OFTEN, "loss=wgan_gp", "gan.critic_steps=2", "max_kimg=0.032")
    assert len(verdict(tmp_path / "run")["history"]) == 2


@pytest.mark.parametrize("first", [OFTEN, ("metric=none",)], ids=["measured", "unmeasured"])
def test_hours_count_training_only(
    train: Train, tmp_path: Path, monkeypatch, first: tuple[str, ...]
):
    """A batch takes one hour; each measurement and each gap take a hundred."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def set_duration(hours: float, owner: type, name: str) -> None:
        real = getattr(owner, name)

        def slow(*arguments: Any) -> Any:
            now[0] += 3600 * hours
            return real(*arguments)

        monkeypatch.setattr(owner, name, slow)

    set_duration(1, GAN, "training_step")
    set_duration(100, Evaluator, "measure")
    set_duration(100, Equilibrium, "_gap")
    train(*first, "max_kimg=0.032")
    now[0] += 500_000  # a pause
    train(*OFTEN, "max_kimg=0.064", ckpt_path=tmp_path / "run/checkpoints/last.ckpt")
    hours = [row["hours"] for row in quality(tmp_path / "run")["rows"]]
    assert hours == ([2, 4, 6, 8] if first is OFTEN else [6, 8])
