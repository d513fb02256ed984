"""Speed of two processes on a CPU, with three ways to average the gradients of two players.

    python -m benchmarks.devices [seconds per run, default 15] [rounds=3] [overrides ...]

- one all-reduce: `training/strategy.py`, one call at the end of each player's step.
- two reducers: a `DistributedDataParallel` with a static graph per player, which averages its
  gradients in buckets during the backward pass.
- unused parameters: one `DistributedDataParallel` of both players, which searches each graph for
  parameters without a gradient.

The sides alternate. Each process has one thread and batches of 32; they exchange gradients by gloo.
The second side averages no statistics of batch normalisation.
"""

import dataclasses
import statistics
import sys
import tempfile
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from anime_dcgan.game.step import Game, Labels, Metrics
from anime_dcgan.training.gan import GAN
from benchmarks.measure import machine, ratio
from benchmarks.scaling import measure

SIDES = {
    "one all-reduce": "trainer.strategy=auto",
    "two reducers": "gan._target_=benchmarks.devices.ReducedGAN",
    "unused parameters": "trainer.strategy=ddp_find_unused_parameters_true",
}


class Reduced(DistributedDataParallel):
    """A player with a reducer; its attributes are those of the network."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)


class ReducedGAN(GAN):
    """Average the gradients of the moving player by a reducer of its own."""

    moving = "discriminator"

    def on_train_start(self) -> None:
        super().on_train_start()
        self.reduced = {
            player: Reduced(getattr(self, player), broadcast_buffers=False, static_graph=True)
            for player in ("generator", "discriminator")
        }

    def game(self) -> Game:
        moving: Any = {self.moving: self.reduced[self.moving]}
        return dataclasses.replace(super().game(), average=None, **moving)

    def discriminator_step(self, real: Float[Tensor, "n 3 h w"], labels: Labels = None) -> Metrics:
        self.moving = "discriminator"
        return super().discriminator_step(real, labels)

    def generator_step(self, real: Float[Tensor, "n 3 h w"], labels: Labels = None) -> Metrics:
        self.moving = "generator"
        return super().generator_step(real, labels)


def main() -> None:
    rounds = next((int(each[7:]) for each in sys.argv if each.startswith("rounds=")), 3)
    argv = [each for each in sys.argv[1:] if not each.startswith("rounds=")]
    seconds = next((float(each) for each in argv if each.replace(".", "").isdecimal()), 15.0)
    overrides = [each for each in argv if not each.replace(".", "").isdecimal()]
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as cache:
        argv = ["data.count=1000", f"data.cache_dir={cache}", "data.batch_size=32", *overrides]
        argv += ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.threads=1"]
        for number in range(rounds):
            for side, override in SIDES.items():
                cell = measure(side, number, [*argv, override], seconds, processes=2)
                speeds[side].append(cell.speed)
    print("\n| side | images/s, median | ratio, median |\n| --- | --- | --- |")
    for side, found in speeds.items():
        relative = ratio(found, speeds["one all-reduce"])
        print(f"| {side} | {statistics.median(found):.1f} | {relative:.2f} |")
    print(f"\n{machine()}; {' '.join(overrides)}")


if __name__ == "__main__":
    main()
