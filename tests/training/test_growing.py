"""Growing: the size of the images by images seen."""

from pathlib import Path

import pytest
import torch
from torch import nn

from anime_dcgan.model import dcgan
from anime_dcgan.run.checkpoint import load_generator
from anime_dcgan.sampling.sample import sample_images
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.reader import read_list, read_object
from anime_dcgan.training.callbacks.threads import trial_steps
from anime_dcgan.training.growing import Growing, Stage, growths
from tests.conftest import Train, assert_same_weights


def test_each_size_is_stable_for_a_while_and_the_next_one_fades_in():
    growing = Growing(16, 64, stable_kimg=2, fade_kimg=1)
    expected = {
        **{0: (16, 1), 1999: (16, 1)},
        **{2000: (32, 0), 2250: (32, 0.25), 2999: (32, 0.999), 3000: (32, 1), 4999: (32, 1)},
        **{5000: (64, 0), 5500: (64, 0.5), 6000: (64, 1), 10**9: (64, 1)},
    }
    for images, stage in expected.items():
        assert growing.stage(images) == pytest.approx(Stage(*stage))
    assert growing.images == 6000


def test_small_images_cost_less_of_the_time():
    growing = Growing(16, 64, stable_kimg=2, fade_kimg=1)
    costs = {0: 0, 1000: 250, 2000: 500, 3000: 1000, 5000: 2000, 6000: 3000, 9000: 6000}
    assert {images: growing.cost(images) for images in costs} == costs
    assert Growing(64, 64).cost(1000) == 1000


def test_sizes_may_follow_each_other_without_fading():
    growing = Growing(8, 32, stable_kimg=1, fade_kimg=0)
    assert [growing.stage(n) for n in (0, 1000, 2000)] == [(8, 1), (16, 1), (32, 1)]
    assert (growing.images, Growing(64, 64).images) == (2000, 0)
    assert Growing(64, 64).stage(0) == (64, 1)


@pytest.mark.parametrize("settings", [{"stable_kimg": -1.0}, {"fade_kimg": -0.5}])
def test_negative_lengths_are_refused(settings: dict[str, float]):
    with pytest.raises(UserError, match=r"growing\.(stable|fade)_kimg=.* use"):
        Growing(16, 64, **settings)


def test_networks_that_cannot_grow_are_refused():
    networks: list[nn.Module] = [dcgan.Generator(4, 4, 8), dcgan.Discriminator(4, image_size=8)]
    with pytest.raises(UserError, match=r"use model=stylegan2, or growing=none"):
        growths(*networks)


def test_resuming_while_a_size_fades_in_gives_the_same_weights(train: Train, tmp_path: Path):
    settings = (
        *("optimizer=adam_stylegan2", "regularizer=r1", "generator_regularizer=path_length"),
        *("growing=progressive", "model.start_size=8"),
        *("growing.stable_kimg=0.04", "growing.fade_kimg=0.08"),
        *("callbacks.quality.every_kimg=0.032", "callbacks.quality.count=12"),
        *("equilibrium.steps=1", "equilibrium.count=2", "equilibrium.rules.patience=2"),
    )
    whole = train(*settings, "trainer.max_epochs=4", run="whole", model="stylegan2")
    verdict = read_object(tmp_path / "whole/equilibrium.json")
    assert verdict["reasons"] == ["only 1 of 2 observations were made so far"]  # at 16 px
    gaps = read_list(tmp_path / "whole/equilibrium.json", "history", ("images", "gap"))
    assert [row["images"] for row in gaps] == [32, 64, 96, 128]  # at 8 px, twice fading, at 16 px
    parts = train(*settings, "trainer.max_epochs=2", run="parts", model="stylegan2")
    assert parts.growing is not None
    growth = growths(parts.generator)[0]
    assert parts.growing.stage(parts.images_seen) != (16, 1)
    assert (growth.size, growth.is_fading) == (16, True)
    parts.images_seen = 0
    parts.grow()
    assert next(trial_steps(parts.trainer, parts, torch.zeros(8, 3, 16, 16))) > 0  # at 8 px
    last = tmp_path / "parts/checkpoints/last.ckpt"
    generator = load_generator(last)
    assert growths(generator)[0].is_fading
    assert sample_images(generator, torch.randn(2, generator.latent_dim)).shape == (2, 16, 16, 3)
    longer = (*settings, "trainer.max_epochs=4")
    for name, other in (
        ("growing.fade_kimg", "growing.fade_kimg=0.04"),
        ("generator_regularizer.weight", "generator_regularizer.weight=1"),
    ):
        with pytest.raises(UserError, match=rf"(?<!gan\.){name}"):
            train(*longer, other, run="parts", model="stylegan2", ckpt_path=last)
    parts = train(*longer, run="parts", model="stylegan2", ckpt_path=last)
    assert_same_weights(whole, parts)
    assert growths(parts.generator)[0].state.tolist() == [16, 1_000_000]
