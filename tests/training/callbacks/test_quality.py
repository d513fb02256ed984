"""Measured while it trains: values, best checkpoint, verdict; and the training notices nothing."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from anime_dcgan.game.duality import DualityGap
from anime_dcgan.metric.evaluator import Evaluator
from anime_dcgan.run.checkpoint import read
from anime_dcgan.run.runs import find_checkpoint
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.callbacks.equilibrium import Equilibrium
from anime_dcgan.training.gan import GAN
from tests.conftest import Train, assert_same_weights

OFTEN = ("callbacks.quality.every_kimg=0.016", "callbacks.quality.count=12")
LENIENT = (
    *("patience=2", "rest_share=0", "tolerance=99", "swing=99", "gap_share=99"),
    *("diverged=99", "collapsed=0", "alike=0"),
)
AT_ONCE = tuple(f"equilibrium.rules.{rule}" for rule in LENIENT)


def quality(run: Path) -> dict[str, Any]:
    return json.loads((run / "quality.json").read_text())


def verdict(run: Path) -> dict[str, Any]:
    return json.loads((run / "equilibrium.json").read_text())


def test_values_are_taken_at_their_cadence_and_at_the_end(train: Train, tmp_path: Path):
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


def test_the_best_checkpoint_is_the_one_of_the_lowest_distance(
    train: Train, tmp_path: Path, monkeypatch
):
    distances = iter([9.0, 4.0, 6.0, 5.0])
    floor = {"swd/mean": 1.0, "diversity": 1.0}
    monkeypatch.setattr(
        Evaluator, "measure", lambda self, pixels: {**floor, "swd/mean": next(distances)}
    )
    train(*OFTEN, "max_kimg=0.064")
    assert read(find_checkpoint(tmp_path / "run", "best"))["images_seen"] == 32
    assert read(find_checkpoint(tmp_path / "run", "last"))["images_seen"] == 64
    assert read(find_checkpoint(tmp_path / "run", "best"))["epochs_done"] == 1


def test_a_run_measured_and_judged_is_bit_equal_to_one_that_was_not(train: Train):
    for model in ("dcgan", "radford"):
        measured = train(*OFTEN, run=f"{model}-with", model=model)
        alone = train("metric=none", run=f"{model}-without", model=model)
        assert_same_weights(measured, alone)


def test_metric_none_leaves_nothing(train: Train, tmp_path: Path):
    train("metric=none")
    names = {path.name for path in (tmp_path / "run").rglob("*")}
    assert not names & {"quality.json", "equilibrium.json", "best.ckpt", "neighbours.png"}


def test_going_on_gives_the_same_values_and_the_same_verdict(train: Train, tmp_path: Path):
    train(*OFTEN, "trainer.max_epochs=3", run="whole")
    train(*OFTEN, "trainer.max_epochs=3", "max_kimg=0.056", run="parts")
    last = tmp_path / "parts/checkpoints/last.ckpt"
    train(*OFTEN, "trainer.max_epochs=3", run="parts", ckpt_path=last)
    whole, parts = (quality(tmp_path / run)["rows"] for run in ("whole", "parts"))
    assert _timeless([row for row in parts if row["images"] != 56]) == _timeless(whole)
    histories = [verdict(tmp_path / run)["history"] for run in ("whole", "parts")]
    kept = [row for row in histories[1] if row["images"] != 56]
    assert _timeless(kept) == _timeless(histories[0])


def test_what_was_measured_after_the_checkpoint_is_measured_again(train: Train, tmp_path: Path):
    train(*OFTEN, "trainer.max_epochs=2")
    first = tmp_path / "run/checkpoints/epoch=0001.ckpt"
    rows = quality(tmp_path / "run")["rows"]
    train(*OFTEN, "trainer.max_epochs=2", ckpt_path=first)
    assert _timeless(quality(tmp_path / "run")["rows"]) == _timeless(rows)


def test_another_metric_starts_a_course_of_its_own_and_keeps_the_first(
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


def test_a_headline_that_is_not_measured_is_told_before_the_training(train: Train):
    with pytest.raises(UserError, match=r"metric.headline=swd/64.*use swd/16, swd/mean"):
        train(*OFTEN, "metric.headline=swd/64")
    with pytest.raises(UserError, match="reference=test"):
        train(*OFTEN, "callbacks.quality.reference=test")


def _timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    figures = {"seconds", "hours", "accuracy_real", "accuracy_fake"}  # means since the last logging
    return [{name: row[name] for name in row if name not in figures} for row in rows]


def test_the_verdict_is_written_with_its_reasons_and_figures(train: Train, tmp_path: Path):
    train(*OFTEN, *AT_ONCE, "max_kimg=0.064")
    said = verdict(tmp_path / "run")
    assert said["verdict"] == "equilibrium"
    assert said["epoch"] == 0.5
    assert said["images"] == 16
    assert any("distance" in reason for reason in said["reasons"])
    (*_, last) = said["history"]
    assert last["gap"] == pytest.approx(last["gap_discriminator"] + last["gap_generator"])
    assert 0 <= last["accuracy_real"] <= 1
    assert last["distance"] == quality(tmp_path / "run")["rows"][-1]["values"]["swd/mean"]


def test_an_equilibrium_ends_the_run_only_where_that_is_asked_for(train: Train):
    settings = (*OFTEN, *AT_ONCE, "trainer.max_epochs=4")
    assert train(*settings, run="on").images_seen == 128
    stopped = train(*settings, "equilibrium.stop=true", run="stop")
    assert stopped.images_seen == 48


def test_it_is_marked_in_tensorboard(train: Train, tmp_path: Path):
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


def test_the_gap_is_taken_on_faces_that_are_held_out(train: Train, monkeypatch):
    """Nothing of the training set, and no image on both sides."""
    used: list[set[bytes]] = []

    def gap(game: Any, batches: Any, draw_latents: Any, real: Any, step: int) -> DualityGap:
        answered = {image.numpy().tobytes() for batch in batches for image in batch}
        used.extend([answered, {image.numpy().tobytes() for image in real}])
        return DualityGap(0.0, 0.0)

    monkeypatch.setattr("anime_dcgan.training.callbacks.equilibrium.duality_gap", gap)
    module = train(*OFTEN, "max_kimg=0.016", "equilibrium.count=4")
    faces = module.trainer.datamodule.faces  # type: ignore[attr-defined]
    answered, judged = used
    assert answered and judged and not answered & judged
    assert len(answered | judged) <= len(faces.holdout_rows)


def test_a_run_without_enough_faces_goes_on_and_says_why_nothing_is_measured(
    train: Train, tmp_path: Path, capsys
):
    train(*OFTEN, "data.count=20", "data.holdout=0.38", "data.batch_size=4", "max_kimg=0.016")
    assert "the faces are not measured: 16 different faces are too few" in capsys.readouterr().err
    assert not (tmp_path / "run/quality.json").exists()


def test_a_full_disk_does_not_end_the_training(train: Train, monkeypatch, capsys):
    def full(path: Path, content: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("anime_dcgan.training.callbacks.quality.write_json", full)
    monkeypatch.setattr("anime_dcgan.training.callbacks.equilibrium.write_json", full)
    assert train(*OFTEN, "max_kimg=0.032").images_seen == 32
    assert "quality.json could not be written (no space left)" in capsys.readouterr().err


def test_an_answer_of_no_steps_is_refused():
    with pytest.raises(UserError, match="equilibrium.steps=0"):
        Equilibrium("file", steps=0)


def test_without_a_hold_out_set_the_gap_is_taken_on_training_faces(train: Train, tmp_path: Path):
    train(*OFTEN, "data.holdout=0", "max_kimg=0.016")
    assert verdict(tmp_path / "run")["history"][0]["gap"] != 0


def test_critics_with_penalties_are_judged_too(train: Train, tmp_path: Path):
    train(*OFTEN, "loss=wgan_gp", "gan.critic_steps=2", "max_kimg=0.032")
    assert len(verdict(tmp_path / "run")["history"]) == 2


def test_hours_are_those_of_training_alone(train: Train, tmp_path: Path, monkeypatch):
    """An hour a batch; a hundred for each measurement, and as many for the gap."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def takes(hours: float, owner: type, name: str) -> None:
        real = getattr(owner, name)

        def slow(*arguments: Any) -> Any:
            now[0] += 3600 * hours
            return real(*arguments)

        monkeypatch.setattr(owner, name, slow)

    takes(1, GAN, "training_step")
    takes(100, Evaluator, "measure")
    takes(100, Equilibrium, "_gap")
    train(*OFTEN, "max_kimg=0.032")
    now[0] += 500_000  # the run was left alone
    train(*OFTEN, "max_kimg=0.064", ckpt_path=tmp_path / "run/checkpoints/last.ckpt")
    assert [row["hours"] for row in quality(tmp_path / "run")["rows"]] == [2, 4, 6, 8]


def test_hours_are_unknown_where_the_checkpoint_does_not_say(train: Train, tmp_path: Path):
    train(*OFTEN, "max_kimg=0.016")
    last = tmp_path / "run/checkpoints/last.ckpt"
    contents = torch.load(last, weights_only=True)
    (ours,) = (key for key in contents["callbacks"] if key.startswith("Quality"))
    del contents["callbacks"][ours]
    torch.save(contents, last)
    train(*OFTEN, "max_kimg=0.032", ckpt_path=last)
    first, second = quality(tmp_path / "run")["rows"]
    assert first["hours"] is not None and second["hours"] is None
