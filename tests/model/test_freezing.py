"""Layers that a training keeps: their bits, and everything else still being trained."""

import copy

import pytest
import torch
from torch import nn

from anime_dcgan.game.duality import duality_gap
from anime_dcgan.game.loss import BCE
from anime_dcgan.game.regularizer import R1R2, GradientPenalty, Regularizer, WeightClip
from anime_dcgan.game.step import Game
from anime_dcgan.model import biggan, dcgan, r3gan, radford, stylegan2
from anime_dcgan.model.base import Discriminator
from anime_dcgan.model.freezing import freeze_layers, frozen_tensors
from anime_dcgan.model.recompute import set_recompute
from anime_dcgan.system.errors import UserError

NETWORKS = {
    "dcgan": lambda: dcgan.Discriminator(width=3, image_size=16),
    "dcgan, spectral": lambda: dcgan.Discriminator(width=3, image_size=16, spectral_norm=True),
    "radford": lambda: radford.Discriminator(width=3, image_size=16),
    "radford, std": lambda: radford.Discriminator(3, False, 16, minibatch_std=2),
    "r3gan": lambda: r3gan.Discriminator(8, 8, 4, 1, image_size=32),
    "biggan": lambda: biggan.Discriminator(width=2, image_size=16, attention=8),
    "stylegan2": lambda: stylegan2.Discriminator(8, 64, image_size=16),
    "stylegan2, growing": lambda: stylegan2.Discriminator(8, 64, image_size=32, start_size=16),
}
LAYERS = {
    **{"dcgan": 3, "dcgan, spectral": 3, "radford": 2, "radford, std": 2},
    **{"r3gan": 4, "biggan": 3, "stylegan2": 2, "stylegan2, growing": 3},
}
REGULARIZERS = {
    **{"dcgan": R1R2(), "dcgan, spectral": GradientPenalty(), "radford": WeightClip(1e-4)},
    **{"r3gan": R1R2(), "stylegan2": GradientPenalty()},
}


def side(name: str) -> int:
    return 32 if name in ("r3gan", "stylegan2, growing") else 16


def make_game(discriminator: Discriminator, name: str) -> Game:
    generator = dcgan.Generator(latent_dim=4, width=3, image_size=side(name))
    trained = [each for each in discriminator.parameters() if each.requires_grad]
    return Game(
        generator,
        discriminator,
        torch.optim.AdamW(generator.parameters(), 0.01, weight_decay=0.1),
        torch.optim.AdamW(trained, 0.01, weight_decay=0.1),
        BCE(),
        REGULARIZERS.get(name, Regularizer()),
    )


def tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("all_layers", [False, True])
def test_kept_layers_stay_bit_equal_and_all_others_are_trained(name: str, all_layers: bool):
    torch.manual_seed(0)
    discriminator = NETWORKS[name]()
    layers = discriminator.layers_from_image()
    assert len(layers) == LAYERS[name]
    count = len(layers) if all_layers else 1
    freeze_layers(discriminator, count)
    kept = {id(tensor) for tensor in frozen_tensors(discriminator, count)}
    state = discriminator.state_dict(keep_vars=True)
    before = tensors(discriminator)
    game = make_game(discriminator, name)
    generator = tensors(game.generator)
    real = torch.rand(4, 3, side(name), side(name)) * 2 - 1
    for step in range(2):
        game.discriminator_step(real, lambda count: torch.randn(count, 4), step)
        game.generator_step(real, lambda count: torch.randn(count, 4), step)
    changed = {key for key, value in tensors(discriminator).items() if (value != before[key]).any()}
    assert not changed & {key for key in state if id(state[key]) in kept}
    trained = {key for key, value in discriminator.named_parameters() if id(value) not in kept}
    assert trained and trained - changed <= {"from_rgb.0.bias", "from_rgb.0.weight"}
    assert all(discriminator.get_parameter(key).requires_grad for key in trained)
    after = tensors(game.generator)
    assert all((after[key] != generator[key]).any() for key in dict(game.generator.named_buffers()))
    assert any((after[key] != value).any() for key, value in generator.items())


@pytest.mark.parametrize("name", ["radford", "biggan"])
def test_measuring_the_duality_gap_keeps_the_layers_of_the_game_and_of_its_copies(name: str):
    discriminator = NETWORKS[name]()
    freeze_layers(discriminator, 2)
    game = make_game(discriminator, name)
    before = tensors(discriminator)
    batches = [torch.rand(4, 3, 16, 16) for _ in range(2)]
    duality_gap(game, batches, lambda count: torch.randn(count, 4), batches[0])
    assert all(torch.equal(before[key], value) for key, value in tensors(discriminator).items())
    copied = copy.deepcopy(discriminator).train()
    copied(batches[0])
    kept = {key for key, value in copied.state_dict().items() if torch.equal(before[key], value)}
    frozen = {id(each) for each in frozen_tensors(copied, 2)}
    state = copied.state_dict(keep_vars=True)
    assert {key for key in state if id(state[key]) in frozen} <= kept


@pytest.mark.parametrize("name", ["radford", "biggan", "stylegan2"])
def test_recomputed_activations_of_kept_layers_are_the_same(name: str):
    states = []
    for recomputes in (False, True):
        torch.manual_seed(0)
        discriminator = NETWORKS[name]()
        freeze_layers(discriminator, 1)
        set_recompute(discriminator, recomputes)
        game = make_game(discriminator, name)
        real = torch.rand(4, 3, 16, 16) * 2 - 1
        for step in range(2):
            game.discriminator_step(real, lambda count: torch.randn(count, 4), step)
            game.generator_step(real, lambda count: torch.randn(count, 4), step)
        states.append(tensors(discriminator) | tensors(game.generator))
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())


def test_more_layers_than_there_are_is_refused():
    with pytest.raises(UserError, match="has 3 layers that can be kept, .* use init.freeze=3"):
        freeze_layers(NETWORKS["dcgan"](), 4)
    with pytest.raises(UserError, match="use init.freeze=0"):
        freeze_layers(Discriminator(), 1)
