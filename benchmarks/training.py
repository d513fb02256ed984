"""Speed of `train` in images/s, compared with other programs that train the same networks.

    python -m benchmarks.training against=usual model=radford
    python -m benchmarks.training against=keras keras=ENVIRONMENT/bin/python experiment=original
    python -m benchmarks.training against=plain loss=wgan_gp
    python -m benchmarks.training against=bare model=radford

    images=20000   images that `train` takes per round
    share=0.3      fraction of them that the other side takes
    rounds=3
    faces=20000    number of synthetic JPEG files of 64x64 px, unless path=FOLDER is given

All other arguments are overrides of `train`, which runs with all its default callbacks: curves,
grids, checkpoints, moving average, quality (every 20,000 images) and verdict. Its batches come from
its cache, which is built in advance. With `trainer=gpu` all sides but Keras run on the GPU; use
images=400000 or more there. Each side runs in its own process, and its first steps, in which
libraries choose their kernels, are excluded. The other sides:

    usual  the loop of tutorials (usual_loop.py): float32, NCHW, pictures decoded by
           torchvision.datasets.ImageFolder in two workers in each epoch
    plain  a similar loop with the gradient penalty of WGAN-GP, on decoded pictures
    keras  the report's program (keras_report.py), in float32 and mixed_bfloat16, run by a Python
           with tensorflow installed
    bare   the loss, networks, optimizers and precision of `train` in a bare loop
    two    `train` with real and fake images in two batches even where one is possible

Useful floating-point operations are those of convolutions and matrix products as the networks
define them, with 2 per multiply-add. Let g and d be the cost of one image through generator and
discriminator, and f the fakes in the generator's step per real image. Per real image, a step costs
g + 2 d forward and 4 d backward for the discriminator, and f (g + d) forward and f (2 g + d)
backward for the generator: g + 6 d + f (3 g + 2 d), minus the gradients with respect to images and
latents, which are not needed. The fixed network of a projected discriminator, of cost e, has no
gradients in the discriminator's step, and only those of its maps in the generator's: with d its
whole cost, 4 e less.
"""

import io
import itertools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from omegaconf import DictConfig
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from anime_dcgan.cli.command import instantiate
from anime_dcgan.data.batches import FaceBatches
from anime_dcgan.game.objective import discriminator_cost, generator_cost
from anime_dcgan.model import coupling, projected
from anime_dcgan.model.features import FixedConv
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system import precision
from anime_dcgan.training.fit import fit
from anime_dcgan.training.gan import GAN
from benchmarks.measure import (
    GPUUsage,
    alternate,
    compose_train,
    in_new_process,
    machine,
    matrix_product,
    now,
    parse_options,
    ratio,
    write_faces,
)
from benchmarks.usual_loop import BATCH, TutorialLoop, to_nchw

WARM_UP_STEPS = 5
OPTIONS = {
    **{"against": "usual", "images": "20000", "share": "0.3", "rounds": "3"},
    **{"faces": "20000", "path": "", "keras": ""},
}


class Clock(Callback):
    """Time a training from the end of the warm-up, including checkpoints and grids."""

    seconds, images, start = 0.0, 0, 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: GAN, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.discriminator_steps == WARM_UP_STEPS:
            self.start, self.images = now(), -pl_module.images_seen

    def teardown(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:
        self.seconds = now() - self.start
        self.images += pl_module.images_seen


class Pace:
    """Measure the images/s of a loop, excluding its first steps."""

    def __init__(self, images: int) -> None:
        self.images, self.steps, self.counted, self.start = images, 0, 0, 0.0

    def done(self, images: int) -> bool:
        """Record a step of `images` images; return True once enough were counted."""
        self.steps += 1
        if self.steps <= WARM_UP_STEPS:
            self.start = now()
            return False
        self.counted += images
        return self.counted >= self.images

    @property
    def speed(self) -> float:
        """Counted images per second."""
        return self.counted / (now() - self.start)


def train(overrides: list[str], images: int) -> float:
    """Return the images/s of `train`."""
    clock, usage = Clock(), GPUUsage()
    with tempfile.TemporaryDirectory() as temporary, redirect_stderr(io.StringIO()), usage:
        argv = [f"run_dir={temporary}", f"max_kimg={images / 1000}", "trainer.max_epochs=-1"]
        fit(compose_config([*overrides, *argv]), Path(temporary), callbacks=[clock])
    usage.report()
    return clock.images / clock.seconds


def usual(folder: Path, images: int, device: str) -> float:
    """Return the images/s of the tutorial loop, which decodes pictures on the fly."""
    decode = transforms.Compose(
        [
            transforms.Resize(64),
            transforms.CenterCrop(64),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    loader = DataLoader(
        ImageFolder(folder, decode), BATCH, shuffle=True, num_workers=2, drop_last=True
    )
    loop, pace = TutorialLoop(64, device), Pace(images)
    while True:
        for real, _ in loader:
            loop.step(real.to(device))
            if pace.done(len(real)):
                return pace.speed


def plain_wgan_gp(overrides: list[str], images: int) -> float:
    """Return the images/s of WGAN-GP (arXiv 1704.00028, algorithm 1) in float32 and NCHW."""
    module, optimizers, batches = parts(compose_config(overrides))
    for network in (module.generator, module.discriminator):
        network.to(memory_format=torch.contiguous_format)
    generator, critic, pace = module.generator, module.discriminator, Pace(images)
    for step, pixels in enumerate(endless(batches), start=1):
        real = to_nchw(pixels).to(module.device)
        with torch.no_grad():
            fake = generator(_latents(module, len(real)))
        optimizers[1].zero_grad()
        cost = critic(fake).mean() - critic(real).mean()
        (cost + 10 * _gradient_penalty(critic, real, fake)).backward()
        optimizers[1].step()
        if step % module.critic_steps == 0:
            optimizers[0].zero_grad()
            (-critic(generator(_latents(module, len(real)))).mean()).backward()
            optimizers[0].step()
        if pace.done(len(real)):
            break
    return pace.speed


def _gradient_penalty(critic: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    fraction = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (fraction * real + (1 - fraction) * fake).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()


def bare(overrides: list[str], images: int) -> float:
    """Return the images/s of a bare loop of the training step."""
    config = compose_config(overrides)
    module, optimizers, batches = parts(config)
    fast = precision.choose(config.trainer.accelerator)[0] == precision.FAST
    pace = Pace(images)
    for step, batch in enumerate(endless(batches)):
        bare_step(module, optimizers, to_float(batch.to(module.device)), step, fast)
        if pace.done(len(batch)):
            break
    return pace.speed


def separate_batches(overrides: list[str], images: int) -> float:
    """Return the images/s of `train` with real and fake images in separate batches."""
    coupling.can_share_a_batch = lambda *_: False
    return train(overrides, images)


def parts(config: DictConfig) -> tuple[GAN, list[torch.optim.Optimizer], FaceBatches]:
    module: GAN = instantiate(config.gan).to(device_of(config))
    data = instantiate(config.datamodule)
    data.setup()
    return module, module.configure_optimizers(), data.train_dataloader()


def endless(batches: FaceBatches) -> Iterator[torch.Tensor]:
    """Yield the batches of one epoch after the other."""
    for epoch in itertools.count():
        batches.sampler.set_epoch(epoch)
        yield from batches


def bare_step(
    module: GAN,
    optimizers: list[torch.optim.Optimizer],
    real: torch.Tensor,
    step: int = 0,
    fast: bool = False,
) -> None:
    """Take one step of each player, with its penalties; `fast` computes in bf16."""
    generator, discriminator, loss = module.generator, module.discriminator, module.loss
    regularizer, penalty = module.regularizer.at(step), module.generator_regularizer.at(step)
    optimizers[1].zero_grad()
    with precision.autocast(fast, module.device.type):
        with torch.no_grad():
            fake = generator(_latents(module, len(real)))
        cost = discriminator_cost(discriminator, loss, regularizer, module.augment, real, fake)
    (cost.loss + cost.penalty).backward()
    optimizers[1].step()
    discriminator.requires_grad_(False)
    optimizers[0].zero_grad()
    latents = _latents(module, round(module.fakes_per_real * len(real)))
    with precision.autocast(fast, module.device.type):
        fake = generator(latents)
        fake_cost = generator_cost(discriminator, loss, module.augment, real, fake)
        fake_cost = fake_cost + penalty.penalty(generator, latents)
    fake_cost.backward()
    optimizers[0].step()
    discriminator.requires_grad_(True)


def _latents(module: GAN, count: int) -> torch.Tensor:
    return torch.randn(count, module.generator.latent_dim, device=module.device)


def keras(python: str, folder: Path, policy: str, images: int) -> float:
    """Return the images/s of the report's program under one of Keras' precision policies."""
    program = Path(__file__).with_name("keras_report.py")
    argv = [python, program, folder, policy, str(images)]
    run = subprocess.run(argv, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    return float(run.stdout.split()[-1])


def useful_operations(config: DictConfig) -> float:
    """Return the FLOP per real image of a step without a penalty, by the formula above."""
    module: GAN = instantiate(config.gan)
    generator, discriminator = module.generator, module.discriminator
    image = torch.zeros(1, 3, config.data.image_size, config.data.image_size)
    generator_counts = _multiply_adds(generator, torch.zeros(1, generator.latent_dim))
    discriminator_counts = _multiply_adds(discriminator, image)
    g, f = sum(generator_counts.values()), module.fakes_per_real
    d = sum(discriminator_counts.values())
    e = sum(n for layer, n in discriminator_counts.items() if isinstance(layer, FixedConv))
    first = next(iter(generator_counts.values()))
    unneeded = 2 * sum(_entrances(discriminator, discriminator_counts)) + f * first + 4 * e
    return 2 * (g + 6 * d + f * (3 * g + 2 * d) - unneeded)


def _entrances(discriminator: nn.Module, counts: dict[nn.Module, int]) -> list[int]:
    """Return the multiply-adds of the trained layers that receive images or fixed maps."""
    if isinstance(discriminator, projected.Discriminator):
        heads = (head for head in discriminator.heads if isinstance(head, projected.Head))
        return [counts[head.entrance] for head in heads]
    return [next(iter(counts.values()))]


def _multiply_adds(network: nn.Module, batch: torch.Tensor) -> dict[nn.Module, int]:
    """Return the multiply-adds of each layer in the forward pass, in order."""
    counts: dict[nn.Module, int] = {}

    def count(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        if isinstance(layer, nn.ConvTranspose2d):
            counts[layer] = inputs[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            counts[layer] = output.numel() * layer.weight[0].numel()
        elif isinstance(layer, FixedConv):  # without the zeros of its padding
            counts[layer] = output.numel() * int(layer.weight[0].count_nonzero())

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    with torch.no_grad():
        network(batch)
    for hook in hooks:
        hook.remove()
    return counts


def compose_config(overrides: list[str]) -> DictConfig:
    """Return the configuration of `train`, on the CPU unless a trainer is chosen."""
    has_trainer = any(override.startswith("trainer=") for override in overrides)
    return compose_train([*([] if has_trainer else ["trainer=cpu"]), *overrides])


def device_of(config: DictConfig) -> str:
    return "cpu" if config.trainer.accelerator == "cpu" else "cuda"


def main() -> None:
    options, overrides = parse_options(OPTIONS, sys.argv[1:])
    images, rounds = int(options["images"]), int(options["rounds"])
    fewer = round(float(options["share"]) * images)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options["path"] or Path(temporary) / "drawn")
        if not options["path"]:
            write_faces(folder, int(options["faces"]))
        overrides += ["data=folder", f"data.path={folder}", f"data.cache_dir={temporary}/cache"]
        with redirect_stderr(io.StringIO()):
            config = compose_config(overrides)
            instantiate(config.datamodule).prepare_data()
        others = {
            "usual": {"usual": partial(in_new_process, usual, folder, fewer, device_of(config))},
            "plain": {"plain": partial(in_new_process, plain_wgan_gp, overrides, fewer)},
            "bare": {"bare": partial(in_new_process, bare, overrides, fewer)},
            "two": {"two": partial(in_new_process, separate_batches, overrides, fewer)},
            "keras": {
                policy: partial(keras, options["keras"], folder, policy, fewer)
                for policy in ("float32", "mixed_bfloat16")
            },
        }[options["against"]]
        sides = {"train": partial(in_new_process, train, overrides, images), **others}
        speeds = alternate(sides, rounds, "images/s")
    for name in others:
        print(f"train / {name}: {ratio(speeds['train'], speeds[name]):.2f}")
    print_utilisation(config, speeds["train"])
    print(f"{machine(device_of(config))}; {' '.join(sys.argv[1:])}")


def print_utilisation(
    config: DictConfig, speeds: list[float], clock: Callable[[], float] | None = None
) -> None:
    """Print the achieved fraction of the processor's limit, if the formula applies.

    `clock` returns the seconds in which the images/s were measured; None is the time on the clock.
    """
    name, _ = precision.choose(config.trainer.accelerator)
    dtype = torch.bfloat16 if name == precision.FAST else torch.float32
    limit = matrix_product(dtype, device_of(config), clock)
    print(f"{name}: matrix product at {limit / 1e9:.0f} GFLOP/s")
    if config.gan.critic_steps == 1 and config.regularizer._target_.endswith(".Regularizer"):
        per_image = useful_operations(config)
        reached = per_image * statistics.median(speeds)
        print(
            f"useful: {per_image / 1e9:.2f} GFLOP per image, {reached / 1e9:.0f} GFLOP/s, "
            f"{reached / limit:.0%} of the matrix product"
        )


if __name__ == "__main__":
    main()
