"""Tests of ramps: values at known points, and what the steps of real trainings use."""

import json
from pathlib import Path

import pytest
import torch

from anime_dcgan.game.augment import FixedADA
from anime_dcgan.game.regularizer import R1R2
from anime_dcgan.run.checkpoint import read
from anime_dcgan.system.errors import UserError
from anime_dcgan.training import cuda_graph
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.ramps import Ramps, apply_ramps
from tests.conftest import Train, assert_same_weights
from tests.training.test_cuda_graph import make_trainer


def test_every_ramp_is_half_a_cosine_that_ends_at_its_end():
    ramps = Ramps(12, second_beta=(0.9, 0.98), penalty_weight=(2.0, 0.2))
    expected = {0: (0.9, 2.0), 4000: (0.92, 1.55), 6000: (0.94, 1.1), 12_000: (0.98, 0.2)}
    for images, values in (expected | {99_000: (0.98, 0.2)}).items():
        assert tuple(ramps.values(images).values()) == pytest.approx(values)


def test_no_ramp_needs_no_length():
    assert Ramps().values(1000) == {}


R3GAN = (
    *("loss=relativistic", "augment=ada_fixed", "optimizer=adam_r3gan", "ramps=cosine"),
    *("ramps.second_beta=[0.9, 0.99]", "ramps.penalty_weight=[2.0, 0.2]"),
    *("ramps.ema_halflife_kimg=[0, 5]", "ramps.augment_probability=[0, 0.3]"),
    "callbacks.scalars.every_kimg=0.008",
)


def used_settings(module: GAN) -> tuple[float, float, float, float]:
    """Return what a step uses: both second betas, the penalty's weight and the probability."""
    betas = [optimizer.param_groups[0]["betas"][1] for optimizer in module.trainer.optimizers]
    assert isinstance(module.regularizer, R1R2)
    assert isinstance(module.augment, FixedADA)
    return *betas, float(module.regularizer.weight), float(module.augment.probability)


def test_steps_use_the_values_of_the_images_seen_and_log_them(
    train: Train, tmp_path: Path, monkeypatch
):
    used = []
    step = GAN.discriminator_step

    def record(self: GAN, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        used.append(used_settings(self))
        return step(self, *batch)

    monkeypatch.setattr(GAN, "discriminator_step", record)
    train(*R3GAN, "max_kimg=0.032")
    remaining = [1.0, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4]
    expected = [(0.99 - 0.09 * r, 0.99 - 0.09 * r, 0.2 + 1.8 * r, 0.3 - 0.3 * r) for r in remaining]
    assert used == [pytest.approx(values) for values in expected]
    lines = (tmp_path / "run/scalars.jsonl").read_text().splitlines()
    rows = [row for line in lines if "ramp/second_beta" in (row := json.loads(line))]
    names = ("second_beta", "second_beta", "penalty_weight", "augment_probability")
    logged = [tuple(row[f"ramp/{name}"] for name in names) for row in rows]
    assert logged == [pytest.approx(values) for values in expected]
    assert rows[2]["ramp/ema_halflife_kimg"] == pytest.approx(2.5)


def test_the_average_follows_a_ramp_of_its_half_life(train: Train):
    """A half-life of 0 copies the weights."""
    settings = ("ramps=cosine", "ramps.total_kimg=1000", "max_kimg=0.04")
    copied = train(*settings, "ramps.ema_halflife_kimg=[0.0, 0.0]", run="copied")
    assert_same_weights(copied.generator, copied.generator_ema)
    ramped = train(*settings, "ramps.ema_halflife_kimg=[10.0, 10.0]", run="ramped")
    constant = train("gan.ema_halflife_kimg=10", "max_kimg=0.04", run="constant")
    assert_same_weights(ramped.generator_ema, constant.generator_ema)


def test_a_ramp_without_slope_equals_the_constant_setting(train: Train):
    spans = (
        "second_beta=[0.97, 0.97]",
        "penalty_weight=[3.0, 3.0]",
        "augment_probability=[0.5, 0.5]",
    )
    common = ("loss=relativistic", "augment=ada_fixed", "max_kimg=0.04")
    ramps = train(*common, "ramps=cosine", *(f"ramps.{span}" for span in spans), run="ramps")
    constants = ("optimizer.betas=[0.5, 0.97]", "regularizer.weight=3", "augment.probability=0.5")
    assert_same_weights(ramps, train(*common, *constants, run="constants"))


@pytest.mark.parametrize("images", [16, pytest.param(40, marks=pytest.mark.slow)])
def test_resuming_within_the_ramps_is_bit_equal(train: Train, tmp_path: Path, images: int):
    settings = (*R3GAN, "ramps.total_kimg=0.064", "schedule=cosine", "schedule.total_kimg=0.08")
    whole = train(*settings, run="whole")
    train(*settings, f"max_kimg={images / 1000}", run="parts")
    parts = train(*settings, run="parts", ckpt_path=tmp_path / "parts/checkpoints/last.ckpt")
    assert_same_weights(whole, parts)
    assert used_settings(whole) == used_settings(parts)
    files = [tmp_path / run / "checkpoints/last.ckpt" for run in ("whole", "parts")]
    assert str(read(files[0])["optimizer_states"]) == str(read(files[1])["optimizer_states"])
    gaps = [
        json.loads((tmp_path / run / "equilibrium.json").read_text()) for run in ("whole", "parts")
    ]
    assert [row["gap"] for row in gaps[0]["history"]][-1] == gaps[1]["history"][-1]["gap"]


def test_values_are_changed_in_place_for_cuda_graphs():
    """A recording reads weight and probability from memory; the second beta is a constant of it."""
    regularizer, augment, device = R1R2(), FixedADA(), torch.device("cpu")
    apply_ramps(
        {"penalty_weight": 2.0, "augment_probability": 0.1}, [], regularizer, augment, device
    )
    weight, probability = regularizer.weight, augment.probability
    apply_ramps(
        {"penalty_weight": 1.0, "augment_probability": 0.2}, [], regularizer, augment, device
    )
    assert regularizer.weight is weight and augment.probability is probability
    assert (float(weight), float(probability)) == pytest.approx((1.0, 0.2))
    reason = cuda_graph.unsupported_reason(make_trainer(), Ramps(1, second_beta=(0.9, 0.99)).spans)
    assert reason is not None and "ramps.second_beta" in reason
    assert cuda_graph.unsupported_reason(make_trainer(), ["penalty_weight"]) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("max_kimg=null", "ramps.penalty_weight=[2, 0.2]"), "total_kimg=null .* use max_kimg=300"),
        (("ramps.penalty_weight=[2.0, 0.2]", "regularizer=none"), "use regularizer=r1_r2, or pen"),
        (("ramps.augment_probability=[0, 0.3]", "augment=ada"), "use augment=ada_fixed, or"),
        (("ramps.second_beta=[0.9, 0.99]", "optimizer=sgd"), "SGD has none: use optimizer=adam"),
        (("ramps.second_beta=[0.9, 1.0]",), r"ramps.second_beta=\[0.9, 1.0\] is not a start"),
        (("ramps.augment_probability=[0, 1.5]",), "ramps.augment_probability=null for no ramp"),
        (("ramps.penalty_weight=[-1, 0]",), "ramps.penalty_weight=null for no ramp"),
    ],
)
def test_ramps_without_a_meaning_are_refused(train: Train, settings: tuple[str, ...], message: str):
    with pytest.raises(UserError, match=message):
        train("ramps=cosine", "max_kimg=1", *settings)
