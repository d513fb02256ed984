"""Peak memory and time of a step at 128 px with and without `gan.recompute=true`.

    python -m benchmarks.recompute PAIR RECOMPUTE

PAIR is stylegan2 or r3gan, RECOMPUTE is true or false. Networks of 128 channels that narrow towards
the image take two steps of both players in float32, with one thread and batches of 16. The memory
is that beyond the libraries and the networks, and the time is CPU time.
"""

import sys
import time

import torch
from torch import Tensor

from anime_dcgan.game.loss import BCE
from anime_dcgan.game.regularizer import Regularizer
from anime_dcgan.game.step import Game
from anime_dcgan.model import r3gan, stylegan2
from anime_dcgan.model.recompute import set_recompute
from anime_dcgan.system.memory import peak_memory, reset_peak_memory

PAIRS = {
    "stylegan2": lambda: (
        stylegan2.Generator(64, 64, 128, 2048, image_size=128),
        stylegan2.Discriminator(128, 2048, image_size=128),
    ),
    "r3gan": lambda: (
        r3gan.Generator(64, 128, 8, image_size=128),
        r3gan.Discriminator(128, 8, image_size=128),
    ),
}


def main() -> None:
    pair, recompute = sys.argv[1:]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    generator, discriminator = PAIRS[pair]()
    for network in (generator, discriminator):
        set_recompute(network.to(memory_format=torch.channels_last), recompute == "true")
    game = Game(
        generator,
        discriminator,
        torch.optim.Adam(generator.parameters()),
        torch.optim.Adam(discriminator.parameters()),
        BCE(),
        Regularizer(),
    )
    real = torch.randn(16, 3, 128, 128)

    def draw(count: int) -> Tensor:
        return torch.randn(count, 64)

    reset_peak_memory()
    before, start = peak_memory(), time.process_time()
    for step in range(2):
        game.discriminator_step(real, draw, step)
        game.generator_step(real, draw, step)
    seconds, after = (time.process_time() - start) / 2, peak_memory()
    assert before is not None and after is not None
    print(
        f"{pair} gan.recompute={recompute}: {(after - before) / 1e6:.0f} MB, {seconds:.2f} s a step"
    )


if __name__ == "__main__":
    main()
