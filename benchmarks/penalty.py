"""How long a gradient penalty takes, beside torch's own second derivative of the same.

    python -m benchmarks.penalty [rounds, default 9]

Each is R1 at one batch of images, forward and backward in float32, the way a training takes it; the
least of the rounds counts, in which both sides take turns.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from anime_dcgan.game.double_backward import input_gradient
from anime_dcgan.model import dcgan, radford
from anime_dcgan.system.malloc import retain_freed_memory
from benchmarks.measure import machine, seconds

CRITICS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "radford, width 32, 8 images": (lambda: radford.Discriminator(32, batch_norm=False), 8),
    "radford, width 64, 8 images": (lambda: radford.Discriminator(64, batch_norm=False), 8),
    "radford, width 64, 64 images": (lambda: radford.Discriminator(64, batch_norm=False), 64),
    "radford, width 32, minibatch_std, 8 images": (
        lambda: radford.Discriminator(32, batch_norm=False, minibatch_std=4),
        8,
    ),
    "dcgan, 32 images": (dcgan.Discriminator, 32),
}


def torchs_own(network: nn.Module, inputs: Tensor) -> Tensor:
    inputs = inputs.clone().requires_grad_()
    return torch.autograd.grad(network(inputs).sum(), inputs, create_graph=True)[0]


def penalise(
    gradient: Callable[[nn.Module, Tensor], Tensor], critic: nn.Module, real: Tensor
) -> None:
    critic.zero_grad()
    gradient(critic, real).flatten(1).square().sum(1).mean().backward()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    retain_freed_memory()
    print("| critic | torch, ms | here, ms | ratio |\n| --- | ---: | ---: | ---: |")
    for name, (make, batch) in CRITICS.items():
        critic = make().to(memory_format=torch.channels_last)
        real = torch.randn(batch, 3, 64, 64).to(memory_format=torch.channels_last)
        sides = [partial(penalise, each, critic, real) for each in (torchs_own, input_gradient)]
        taken = [[seconds(side) for side in sides] for _ in range(rounds + 1)][1:]
        own, here = (1000 * min(times) for times in zip(*taken, strict=True))
        print(f"| {name} | {own:.1f} | {here:.1f} | {here / own:.2f} |", flush=True)
    print(machine())


if __name__ == "__main__":
    main()
