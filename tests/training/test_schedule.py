"""Tests of schedules: multipliers at known points, and learning rates of real trainings."""

import csv
from pathlib import Path

import pytest
import torch

from anime_dcgan.run.checkpoint import read
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.schedule import Cosine, Exponential, Linear, Schedule
from tests.conftest import Train, assert_same_weights


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Schedule(), {0: 1, 10**9: 1}),
        (Linear(10), {0: 1, 2500: 0.75, 10_000: 0, 20_000: 0}),
        (Linear(10, final=0.2), {0: 1, 5000: 0.6, 10_000: 0.2, 20_000: 0.2}),
        (Linear(10, warmup_kimg=2), {2000: 1, 4000: 0.75, 10_000: 0}),
        (Linear(10, hold=0.5), {0: 1, 5000: 1, 7500: 0.5, 10_000: 0, 20_000: 0}),
        (Linear(10, 0.2, warmup_kimg=2, hold=0.25), {2000: 1, 4000: 1, 7000: 0.6, 10_000: 0.2}),
        (Cosine(12), {0: 1, 4000: 0.75, 6000: 0.5, 8000: 0.25, 12_000: 0, 99_000: 0}),
        (Cosine(12, final=0.5), {6000: 0.75, 12_000: 0.5}),
        (Cosine(16, hold=0.25), {4000: 1, 8000: 0.75, 10_000: 0.5, 16_000: 0}),
        (Exponential(3), {0: 1, 3000: 0.5, 9000: 0.125}),
        (Exponential(3, warmup_kimg=1), {1000: 1, 4000: 0.5}),
    ],
)
def test_multipliers_at_known_points(schedule: Schedule, factors: dict[int, float]):
    for images, factor in factors.items():
        assert schedule.factor(images) == pytest.approx(factor, abs=1e-12)


WITH_WARMUP = [
    Schedule(warmup_kimg=4),
    Linear(9, warmup_kimg=4),
    Cosine(9, warmup_kimg=4),
    Exponential(9, warmup_kimg=4),
]


@pytest.mark.parametrize("schedule", WITH_WARMUP, ids=lambda schedule: type(schedule).__name__)
def test_every_schedule_warms_up_linearly_to_the_full_learning_rate(schedule: Schedule):
    assert [schedule.factor(1000 * kimg) for kimg in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    factors = [schedule.factor(images) for images in range(4000, 12_000, 100)]
    assert factors == sorted(factors, reverse=True)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (Schedule, {"warmup_kimg": -1.0}, "schedule.warmup_kimg=-1.0 .* use 0 or more"),
        (Linear, {"total_kimg": None}, "schedule=linear .* use max_kimg=300, or schedule.total_"),
        (Cosine, {"total_kimg": None}, "schedule=cosine .* use max_kimg=300"),
        (Linear, {"total_kimg": 5, "warmup_kimg": 5}, "schedule.total_kimg=5 .* schedule.warmup_"),
        (Linear, {"total_kimg": 5, "final": 1.5}, "schedule.final=1.5 .* schedule.final=0"),
        (Linear, {"total_kimg": 5, "hold": 1.0}, r"schedule.hold=1.0 is outside \[0, 1\)"),
        (Cosine, {"total_kimg": 5, "hold": -0.1}, "schedule.hold=-0.1 .* use schedule.hold=0.5"),
        (Exponential, {"halflife_kimg": 0}, "use schedule.halflife_kimg=100"),
    ],
)
def test_invalid_settings_are_refused(make: type[Schedule], settings: dict, message: str):
    with pytest.raises(UserError, match=message):
        make(**settings)


def test_a_schedule_without_an_end_is_refused_from_the_command_line(train: Train):
    with pytest.raises(UserError, match="schedule=cosine needs the length of the training"):
        train("schedule=cosine")


def learning_rates(module: GAN) -> list[float]:
    return [optimizer.param_groups[0]["lr"] for optimizer in module.trainer.optimizers]


def test_both_learning_rates_follow_the_schedule_and_are_logged(
    train: Train, tmp_path: Path, monkeypatch
):
    """Before each of 8 steps of 8 images, the multipliers are 0, 1/2, and then 1 down to 1/6."""
    used = []
    step = GAN.discriminator_step

    def record_lrs(self: GAN, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        used.append(learning_rates(self))
        return step(self, *batch)

    monkeypatch.setattr(GAN, "discriminator_step", record_lrs)
    train(
        *("schedule=linear", "schedule.warmup_kimg=0.016", "max_kimg=0.064", "logger=csv"),
        *("optimizer=adam_ttur", "callbacks.scalars.every_kimg=0.008", "metric=none"),
    )
    factors = [0, 1 / 2, *(sixths / 6 for sixths in (6, 5, 4, 3, 2, 1))]
    expected = [pytest.approx([1e-4 * factor, 4e-4 * factor]) for factor in factors]
    assert used == expected
    with (tmp_path / "run/csv/metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["learning_rate/generator"]]
    players = ("learning_rate/generator", "learning_rate/discriminator")
    assert [[float(row[player]) for player in players] for row in rows] == expected


def test_a_step_with_a_learning_rate_of_zero_changes_nothing(train: Train):
    """The first step of a warm-up leaves the initial weights."""
    none, one = (
        train("schedule.warmup_kimg=0.008", f"max_kimg={kimg}", "callbacks=none", run=str(kimg))
        for kimg in (0, 0.008)
    )
    assert (none.images_seen, one.images_seen) == (0, 8)
    for player in ("generator", "discriminator"):
        assert_same_weights(getattr(none, player), getattr(one, player))


@pytest.mark.parametrize("images", [16, 48])
def test_resuming_within_all_cycles_is_bit_equal_to_an_uninterrupted_run(
    train: Train, tmp_path: Path, images: int
):
    """Resume within an epoch (2 steps of 2 batches of 8), warm-up or decay, and critic steps."""
    settings = (
        *("schedule=cosine", "schedule.total_kimg=0.09", "schedule.warmup_kimg=0.03"),
        *("gan.accumulate=2", "gan.clip_gradient_norm=0.1", "gan.critic_steps=2"),
        "trainer.max_epochs=3",
    )
    whole = train(*settings, run="whole")
    train(*settings, f"max_kimg={images / 1000}", run="parts")
    last = tmp_path / "parts/checkpoints/last.ckpt"
    assert read(last)["images_seen"] == images
    parts = train(*settings, run="parts", ckpt_path=last)
    assert_same_weights(whole, parts)
    assert learning_rates(whole) == learning_rates(parts) != [2e-4, 2e-4]
    states = [
        read(tmp_path / run / "checkpoints/last.ckpt")["optimizer_states"]
        for run in ("whole", "parts")
    ]
    assert str(states[0]) == str(states[1])


def test_resuming_with_another_schedule_length_is_refused(train: Train, tmp_path: Path):
    train("schedule=linear", "max_kimg=0.032")
    last = tmp_path / "run/checkpoints/last.ckpt"
    with pytest.raises(UserError, match="with schedule.total_kimg=0.032, not 0.064"):
        train("schedule=linear", "max_kimg=0.064", ckpt_path=last)
    longer = train("schedule=linear", "max_kimg=0.064", "schedule.total_kimg=0.032", ckpt_path=last)
    assert longer.images_seen == 64
