"""What surrounds the training step: images/s of `train` over those of a bare loop.

    python benchmarks/overhead.py [images, default 8000] [rounds, default 3] [overrides ...]

Both sides train the same networks with the same batch, precision, optimizers and faces; the bare
loop has no Lightning, no logging, no grids, no checkpoints and no moving average. They alternate
in one run; the ratio of each pair is printed, and the median. The first batches of either side,
in which libraries choose their kernels, are not counted: the trainer's own clock starts after
them.
"""

import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from lightning import Callback, Trainer
from omegaconf import DictConfig

from anime_dcgan import precision
from anime_dcgan.command import instantiate
from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.gan import GAN
from anime_dcgan.image import to_float
from anime_dcgan.paths import CONF_DIR
from anime_dcgan.training import fit

WARM_UP_STEPS = 5


class Clock(Callback):
    """Times a training from the end of the warm-up to its end, checkpoints and grids included."""

    seconds, images, start = 0.0, 0, 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: GAN, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.discriminator_steps == WARM_UP_STEPS:
            Clock.start, Clock.images = time.perf_counter(), -pl_module.images_seen

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        Clock.seconds = time.perf_counter() - Clock.start
        Clock.images += pl_module.images_seen


def train_speed(config: DictConfig, run_dir: Path) -> float:
    """Images/s through the program."""
    fit(config, run_dir)
    return Clock.images / Clock.seconds


def bare_speed(config: DictConfig, images: int) -> float:
    """Images/s of a loop with nothing around it."""
    module: GAN = instantiate(config.gan)
    optimizers = module.configure_optimizers()
    data = instantiate(config.datamodule)
    data.setup()
    batches: FaceBatches = data.train_dataloader()
    fast = precision.choose(config.trainer.accelerator)[0] == precision.FAST
    steps, start, epoch = 0, 0.0, 0
    while True:
        batches.sampler.set_epoch(epoch)
        for batch in batches:
            if steps == WARM_UP_STEPS:
                start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=fast):
                bare_step(module, optimizers, to_float(batch))
            steps += 1
            counted = (steps - WARM_UP_STEPS) * len(batch)
            if counted >= images:
                return counted / (time.perf_counter() - start)
        epoch += 1


def bare_step(module: GAN, optimizers: list[torch.optim.Optimizer], real: torch.Tensor) -> None:
    """The two steps as a tutorial writes them; gradients of the judge are not computed either."""
    generator, discriminator, loss = module.generator, module.discriminator, module.loss
    with torch.no_grad():
        fake = generator(torch.randn(len(real), generator.latent_dim))
    optimizers[1].zero_grad()
    loss.discriminator(discriminator(real).float(), discriminator(fake).float()).mean().backward()
    optimizers[1].step()
    discriminator.requires_grad_(False)
    optimizers[0].zero_grad()
    count = round(module.fakes_per_real * len(real))
    fake = generator(torch.randn(count, generator.latent_dim))
    loss.generator(discriminator(fake).float()).mean().backward()
    optimizers[0].step()
    discriminator.requires_grad_(True)


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    overrides = [word for word in sys.argv[1:] if not word.isdecimal()]
    images, rounds = [*numbers, *(8000, 3)[len(numbers) :]]
    with tempfile.TemporaryDirectory() as place:
        ratios = []
        for number in range(rounds):
            run_dir = Path(place) / str(number)
            run_dir.mkdir()
            config = make_config(place, run_dir, images, overrides)
            bare = bare_speed(config, images)
            full = train_speed(config, run_dir)
            ratios.append(full / bare)
            print(f"train {full:7.1f}  bare {bare:7.1f} images/s  ratio {ratios[-1]:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f}  ({rounds} rounds of {images:,} images)")
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {' '.join(overrides) or 'defaults'}"
    )


def make_config(place: str, run_dir: Path, images: int, overrides: list[str]) -> DictConfig:
    """The default configuration with a clock; grids and checkpoint come once, at the end."""
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose(
            "train",
            overrides=[
                *("trainer=cpu", f"run_dir={run_dir}", f"data.cache_dir={place}/cache"),
                *(f"max_kimg={images / 1000}", f"data.count={round(1.06 * images)}"),
                "+callbacks.clock._target_=benchmarks.overhead.Clock",
                *overrides,
            ],
        )


if __name__ == "__main__":
    sys.modules["benchmarks.overhead"] = sys.modules["__main__"]
    main()
