"""The training and the duality gap take the same steps, for every recipe."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.game import duality
from anime_dcgan.game.step import Game
from anime_dcgan.model import features
from anime_dcgan.system.paths import CONF_DIR
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.schedule import Schedule
from tests.conftest import Train
from tests.features import random_features

RECIPES = sorted(path.stem for path in (CONF_DIR / "experiment").glob("*.yaml"))
RIVALS = ("biggan", "r3gan", "stylegan2")
MODELS = {"original": "dcgan", **dict(zip(RIVALS, RIVALS, strict=True))}
MODELS |= {"best": "biggan", "best_projected": "biggan", "demo": "biggan"}
OTHERS = {
    "accumulate": ("gan.accumulate=2", "gan.fakes_per_real=2", "gan.clip_gradient_norm=0.5"),
    "wgan": ("loss=wgan",),
    "wgan_gp": ("loss=wgan_gp", "model=dcgan"),
    "ada": ("augment=ada", "augment.initial=0.5"),
}


def draw(module: GAN, count: int) -> Tensor:
    """Return latents that depend on their number alone."""
    random = torch.Generator().manual_seed(count)
    return torch.randn(count, module.generator.latent_dim, generator=random)


def weights(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def responses(module: GAN, real: Tensor, monkeypatch: pytest.MonkeyPatch) -> list[Game]:
    """Return the games whose values make up the gap: the initial one, and one per response."""
    games: list[Game] = []
    with monkeypatch.context() as patch:
        patch.setattr(duality, "value", lambda game, *_: games.append(game) or 0.0)
        torch.manual_seed(0)
        game = module.plain_game(module.trainer)
        duality.duality_gap(
            game, [real], lambda count: draw(module, count), real, module.discriminator_steps
        )
    return games


def check_steps(module: GAN, monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.rand(module.accumulate * 8, 3, 16, 16) * 2 - 1
    monkeypatch.setattr(module, "_draw_latents", lambda count: draw(module, count))
    monkeypatch.setattr(module, "schedule", Schedule())  # responses take the initial rates
    _, response, _ = responses(module, real, monkeypatch)
    with (
        monkeypatch.context() as patch
    ):  # so that the generator starts from the random state of seed 0
        patch.setattr(Game, "discriminator_step", lambda *_: None)
        _, _, generator_response = responses(module, real, monkeypatch)
    before, unplayed = weights(module.generator), weights(module.discriminator)
    with module.trainer.precision_plugin.forward_context():
        torch.manual_seed(0)
        module.generator_step(real)
        moved = weights(module.generator)
        module.generator.load_state_dict(before)
        module.discriminator.load_state_dict(unplayed)  # its statistics, if it has any
        torch.manual_seed(0)
        module.discriminator_step(real)
    for ours, theirs in (
        (moved, weights(generator_response.generator)),
        (weights(module.discriminator), weights(response.discriminator)),
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert any(not torch.equal(before[name], moved[name]) for name in before)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_takes_the_same_steps(
    recipe: str, precision: str, train: Train, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(features.NETWORKS, "efficientnet_lite0", random_features)
    module = train(
        *(f"experiment={recipe}", f"trainer.precision={precision}"),
        *("callbacks=none", "max_kimg=0.016", "trainer.max_epochs=-1", "data.labels=null"),
        model=MODELS.get(recipe, "radford"),
    )
    for module.discriminator_steps in (0, 1):  # with a lazy penalty and without
        check_steps(module, monkeypatch)


@pytest.mark.parametrize("settings", OTHERS.values(), ids=OTHERS.keys())
def test_other_settings_take_the_same_steps(
    settings: tuple[str, ...], train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    module = train(*settings, "callbacks=none", "max_kimg=0.016", "trainer.max_epochs=-1")
    check_steps(module, monkeypatch)
