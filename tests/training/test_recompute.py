"""`gan.recompute=true` gives the same weights bit by bit, and keeps fewer activations."""

import pytest
import torch
from torch import Tensor, nn

from anime_dcgan.model import biggan, dcgan, r3gan, radford, stylegan2
from anime_dcgan.model.recompute import set_recompute
from tests.conftest import Train, assert_same_weights

QUICK = ("callbacks=none", "metric=none", "trainer.max_epochs=1", "max_kimg=0.032")
R1 = ("regularizer=r1", "regularizer.interval=2")
GAMES = {
    "batch norm, spectral norm": ("radford", ("model.discriminator.spectral_norm=true",)),
    "dropout, R1": ("dcgan", ("augment=diffaugment", *R1)),
    "R1 in two microbatches": ("r3gan", ("loss=relativistic", "gan.accumulate=2", *R1)),
    "noise, gradient penalty, path length, autocast": (
        "stylegan2",
        (
            *("loss=wgan_gp", "trainer.precision=bf16-mixed"),
            *("generator_regularizer=path_length", "generator_regularizer.interval=1"),
        ),
    ),
    "conditional batch norm, spectral norm, attention, R1": ("biggan", R1),
}


@pytest.mark.parametrize("name", GAMES)
def test_the_weights_are_those_without_it(name: str, train: Train):
    model, settings = GAMES[name]
    kept = train(*QUICK, *settings, model=model, run="kept")
    again = train(*QUICK, *settings, "gan.recompute=true", model=model, run="again")
    assert again.discriminator_steps >= 2
    assert_same_weights(again, kept)


PAIRS = {
    "dcgan": lambda: (dcgan.Generator(8, 8, 32), dcgan.Discriminator(8, image_size=32)),
    "radford": lambda: (radford.Generator(8, 8, 32), radford.Discriminator(8, image_size=32)),
    "stylegan2": lambda: (
        stylegan2.Generator(8, 8, 16, 512, image_size=32),
        stylegan2.Discriminator(16, 512, image_size=32),
    ),
    "biggan": lambda: (biggan.Generator(8, 8, 32), biggan.Discriminator(8, 32)),
    "r3gan": lambda: (
        r3gan.Generator(8, 32, 8, image_size=32),
        r3gan.Discriminator(32, 8, image_size=32),
    ),
}


def kept_bytes(network: nn.Module, inputs: Tensor) -> int:
    """Return the size of all tensors that a forward pass keeps for the backward pass."""
    storages: dict[int, int] = {}
    parameters = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network(inputs)
    assert outputs.requires_grad
    return sum(storages.values())


@pytest.mark.parametrize("pair", PAIRS)
def test_fewer_activations_are_kept(pair: str):
    generator, discriminator = PAIRS[pair]()
    for network, inputs in ((generator, torch.randn(8, 8)), (discriminator, None)):
        inputs = torch.randn(8, 3, 32, 32) if inputs is None else inputs
        kept = kept_bytes(network, inputs)
        set_recompute(network, True)
        assert kept_bytes(network, inputs) < 0.75 * kept
