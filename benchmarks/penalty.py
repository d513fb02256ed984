"""Time of gradient penalties, compared with simpler ways to compute them.

    python -m benchmarks.penalty [ROUNDS]

The first table compares R1 on one batch, forward and backward in float32, by torch's own second
derivative and by ours. The second compares a whole discriminator step in float32 with R1 and R2
(relativistic cross-entropy, as in R3GAN), with logits and penalties from one forward pass or from
two. Both sides alternate for ROUNDS rounds, 9 by default, and the minimum counts.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from anime_dcgan.game.augment import Augment
from anime_dcgan.game.double_backward import input_gradient
from anime_dcgan.game.loss import BCE
from anime_dcgan.game.objective import discriminator_cost
from anime_dcgan.game.regularizer import R1R2, Regularizer
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


class Separate(R1R2):
    """R1 and R2 with a separate forward pass."""

    logits_and_penalty = Regularizer.logits_and_penalty


def torch_gradient(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the input gradient by torch's own second derivative."""
    inputs = inputs.clone().requires_grad_()
    return torch.autograd.grad(network(inputs).sum(), inputs, create_graph=True)[0]


def penalise(
    gradient: Callable[[nn.Module, Tensor], Tensor], critic: nn.Module, real: Tensor
) -> None:
    critic.zero_grad()
    gradient(critic, real).flatten(1).square().sum(1).mean().backward()


def step(regularizer: Regularizer, critic: nn.Module, real: Tensor) -> None:
    critic.zero_grad()
    loss = BCE(relativistic=True)
    cost = discriminator_cost(critic, loss, regularizer, Augment(), real, real.flip(0))
    (cost.loss + cost.penalty).backward()


def compare(
    sides: tuple[Callable[[nn.Module, Tensor], None], Callable[[nn.Module, Tensor], None]],
    names: tuple[str, str],
    rounds: int,
) -> None:
    """Print the time of both sides for every critic, and the ratio of the second to the first."""
    print(f"\n| critic | {names[0]}, ms | {names[1]}, ms | ratio |")
    print("| --- | ---: | ---: | ---: |")
    for name, (make, batch) in CRITICS.items():
        critic = make().to(memory_format=torch.channels_last)
        real = torch.randn(batch, 3, 64, 64).to(memory_format=torch.channels_last)
        runs = [partial(side, critic, real) for side in sides]
        times = [[seconds(run) for run in runs] for _ in range(rounds + 1)][1:]
        first, second = (1000 * min(side) for side in zip(*times, strict=True))
        print(f"| {name} | {first:.1f} | {second:.1f} | {second / first:.2f} |", flush=True)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    retain_freed_memory()
    compare(
        (partial(penalise, torch_gradient), partial(penalise, input_gradient)),
        ("torch.autograd", "input_gradient"),
        rounds,
    )
    compare(
        (partial(step, Separate()), partial(step, R1R2())),
        ("two forward passes", "one"),
        rounds,
    )
    print(machine())


if __name__ == "__main__":
    main()
