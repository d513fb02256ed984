"""Input gradients equal those of torch, with fewer operations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from anime_dcgan.game.double_backward import input_gradient, outputs_and_input_gradient
from anime_dcgan.model import dcgan, r3gan, radford, stylegan2
from benchmarks.penalty import torch_gradient

SIZE = 16


class MixedLayers(nn.Module):
    """Convolutions with all kinds of arguments, and layers that are differentiated by torch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=(1, 0), dilation=(1, 2), bias=False),
            nn.LeakyReLU(0.3),
            nn.Conv2d(8, 8, 3, padding="same", groups=2),
            nn.LeakyReLU(-0.5),
            nn.Conv2d(8, 12, (2, 3), stride=(3, 2), groups=4),
            nn.Tanh(),
            nn.Flatten(),
            nn.LazyLinear(1),
        )
        self.layers(torch.zeros(1, 3, SIZE, SIZE))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).squeeze(1)


class WeightsFromInput(nn.Module):
    """A convolution whose kernel and bias depend on the images."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.kernel = nn.Parameter(torch.randn(6, 4, 3, 3))

    def forward(self, images: Tensor) -> Tensor:
        maps = nn.functional.leaky_relu(self.first(images), 0.2)
        kernel = self.kernel * maps.square().mean()
        return nn.functional.conv2d(maps, kernel, maps.mean((0, 2, 3))[[0, 1, 2, 3, 0, 1]]).sum(
            (1, 2, 3)
        )


class IgnoredValue(nn.Module):
    """Activations in place whose value is not used, as their input is changed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images)
        nn.functional.leaky_relu(maps, 0.2, inplace=True)
        maps = self.second(maps)
        nn.functional.leaky_relu(maps, 0.0, inplace=True)
        return maps.square().sum((1, 2, 3))


class Unbatched(nn.Module):
    """A convolution of each image on its own, without an axis for the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([self.first(image).square().sum() for image in images])


def initialised(network: nn.Module) -> nn.Module:
    """Give weights that start at 0, and whose gradient then vanishes, other values."""
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, 0.2)
    return network


CRITICS: dict[str, Callable[[], nn.Module]] = {
    "dcgan": lambda: dcgan.Discriminator(width=8, dropout=0.0, image_size=SIZE),
    "radford": lambda: radford.Discriminator(width=8, batch_norm=False, image_size=SIZE),
    "batch_norm": lambda: radford.Discriminator(width=8, image_size=SIZE),
    "spectral_norm": lambda: radford.Discriminator(
        width=8, batch_norm=False, image_size=SIZE, spectral_norm=True
    ).eval(),
    "minibatch_std": lambda: radford.Discriminator(
        width=8, batch_norm=False, image_size=SIZE, minibatch_std=4
    ),
    "r3gan": lambda: initialised(r3gan.Discriminator(8, group_size=4, image_size=SIZE)),
    "stylegan2": lambda: stylegan2.Discriminator(width=4, image_size=SIZE),
    "mixed": MixedLayers,
    "weights_from_input": WeightsFromInput,
    "ignored_value": IgnoredValue,
    "unbatched": Unbatched,
}


def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)


def trained(gradient: Tensor, network: nn.Module) -> list[Tensor]:
    """Return the gradient of a gradient penalty with respect to each weight."""
    cost = (gradient.flatten(1).square().sum(1).sqrt() - 1).square().mean()
    weights = list(network.parameters())
    return list(torch.autograd.grad(cost, weights, allow_unused=True, materialize_grads=True))


@pytest.mark.parametrize("critic", CRITICS)
def test_input_gradient_and_its_gradients_equal_those_of_torch(critic: str):
    torch.manual_seed(0)
    network = CRITICS[critic]().double()
    outputs, found = outputs_and_input_gradient(network, images())
    torch.testing.assert_close(outputs, network(images()), rtol=1e-9, atol=1e-12)
    expected = torch_gradient(network, images())
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(trained(found, network), trained(expected, network), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-12)


def test_a_penalty_can_be_differentiated_once_more():
    network = MixedLayers().double()
    weights = [weight for name, weight in network.named_parameters() if "bias" not in name]

    def twice(gradient: Tensor) -> list[Tensor]:
        first = torch.autograd.grad(gradient.pow(4).sum(), weights, create_graph=True)
        cost = torch.stack([each.square().sum() for each in first]).sum()
        return list(torch.autograd.grad(cost, weights))

    found, expected = (twice(way(network, images())) for way in (input_gradient, torch_gradient))
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-12)


class CountedConvolutions(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "convolution" in str(func)
        return func(*args, **(kwargs or {}))


def convolutions(gradient: Callable[[nn.Module, Tensor], Tensor]) -> int:
    network = CRITICS["radford"]().double()
    with CountedConvolutions() as counted:
        trained(gradient(network, images()), network)
    return counted.count


def test_no_backward_pass_propagates_zeros():
    layers = 3  # at 16 px: two that halve the size, and the one to the logit
    assert convolutions(input_gradient) == 3 * layers  # forward, input gradient, and its gradient
    assert convolutions(torch_gradient) > 4 * layers


def test_the_inputs_are_not_changed():
    inputs = images()
    before = inputs.clone()
    input_gradient(CRITICS["radford"]().double(), inputs)
    assert not inputs.requires_grad
    assert inputs.grad is None
    torch.testing.assert_close(inputs, before, rtol=0, atol=0)


def test_the_functions_are_restored_afterwards():
    network = CRITICS["radford"]()
    input_gradient(network, images().float())
    pending, names = [network(images().float()).grad_fn], set()
    while pending:
        node = pending.pop()
        names.add(node.name())
        pending += [before for before, _ in node.next_functions if before is not None]
    assert {"ConvolutionBackward0", "LeakyReluBackward1"} <= names  # in-place variant
    assert not any(name.startswith("_") for name in names)
