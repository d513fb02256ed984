"""How fast `train` is: images/s beside other programs that train the same networks.

    python -m benchmarks.training against=usual model=radford
    python -m benchmarks.training against=keras keras=ENVIRONMENT/bin/python experiment=original
    python -m benchmarks.training against=plain loss=wgan_gp
    python -m benchmarks.training against=bare model=radford

    images=20000   that `train` takes in each round; the other side takes `share` of them
    share=0.3      (a measurement of the quality falls on every 20,000 images)
    rounds=3
    faces=20000    JPEG files of 64x64 px, drawn ones unless path=FOLDER brings others

All other words are overrides of `train`, which is measured with all its default callbacks: curves,
grids, checkpoints, moving average, quality and verdict. Its batches come from its cache, which is
built before. `trainer=gpu` takes all sides but Keras to the GPU: give images=400000 or more there.
A side runs in a process of its own, and its first steps, in which libraries choose their kernels,
are not counted. Against:

    usual  the loop of tutorials (usual_loop.py): float32, NCHW, pictures decoded by
           torchvision.datasets.ImageFolder in two workers in each epoch
    plain  the same manner, with the gradient penalty of WGAN-GP, on decoded pictures
    keras  the report's program (keras_report.py), in float32 and under mixed_bfloat16, by a Python
           that has tensorflow
    bare   the loss, networks, optimizers and precision of `train` in a loop with nothing around it
    two    `train` with real and fake images in two batches, where it has them in one

The useful floating-point operations are those of convolutions and matrices as the networks are
written, 2 for a multiplication and addition. With g and d for one image through generator and
discriminator, and f fakes of the generator's step for each real image, a step needs for each real
image g + 2 d forward and 4 d backward for the discriminator, f (g + d) forward and f (2 g + d)
backward for the generator: g + 6 d + f (3 g + 2 d), less the gradients of images and latents that
nobody needs.
"""

import io
import itertools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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
from anime_dcgan.model import coupling
from anime_dcgan.sampling.image import to_float
from anime_dcgan.system import precision
from anime_dcgan.training.fit import fit
from anime_dcgan.training.gan import GAN
from benchmarks.measure import (
    Busy,
    apart,
    compose_train,
    machine,
    matrix_product,
    now,
    ratio,
    take_turns,
    write_faces,
)
from benchmarks.usual_loop import BATCH, UsualLoop, to_nchw

WARM_UP_STEPS = 5
OWN = {
    **{"against": "usual", "images": "20000", "share": "0.3", "rounds": "3"},
    **{"faces": "20000", "path": "", "keras": ""},
}


class Clock(Callback):
    """Times a training from the end of the warm-up to its end, checkpoints and grids included."""

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
    """Images/s of a loop that tells when it has taken a step, without its first ones."""

    def __init__(self, images: int) -> None:
        self.images, self.steps, self.counted, self.start = images, 0, 0, 0.0

    def done(self, images: int) -> bool:
        """After a step with so many images: whether that was enough of them."""
        self.steps += 1
        if self.steps <= WARM_UP_STEPS:
            self.start = now()
            return False
        self.counted += images
        return self.counted >= self.images

    @property
    def speed(self) -> float:
        return self.counted / (now() - self.start)


def train(overrides: list[str], images: int) -> float:
    """Our side."""
    clock, busy = Clock(), Busy()
    with tempfile.TemporaryDirectory() as place, redirect_stderr(io.StringIO()), busy:
        words = [f"run_dir={place}", f"max_kimg={images / 1000}", "trainer.max_epochs=-1"]
        fit(compose_config([*overrides, *words]), Path(place), callbacks=[clock])
    busy.tell()
    return clock.images / clock.seconds


def usual(folder: Path, images: int, device: str) -> float:
    """The loop of tutorials, on pictures that it decodes as it goes."""
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
    loop, pace = UsualLoop(64, device), Pace(images)
    while True:
        for real, _ in loader:
            loop.step(real.to(device))
            if pace.done(len(real)):
                return pace.speed


def plain_gradient_penalty(overrides: list[str], images: int) -> float:
    """WGAN-GP (arXiv 1704.00028, algorithm 1) as its repositories have it: float32, NCHW."""
    module, optimizers, batches = _parts(compose_config(overrides))
    for network in (module.generator, module.discriminator):
        network.to(memory_format=torch.contiguous_format)
    generator, critic, pace = module.generator, module.discriminator, Pace(images)
    for step, pixels in enumerate(_endless(batches), start=1):
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
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()


def bare(overrides: list[str], images: int) -> float:
    """The training step of `train` for losses without a penalty, and nothing around it."""
    config = compose_config(overrides)
    module, optimizers, batches = _parts(config)
    fast = precision.choose(config.trainer.accelerator)[0] == precision.FAST
    pace = Pace(images)
    for batch in _endless(batches):
        with precision.autocast(fast, module.device.type):
            bare_step(module, optimizers, to_float(batch.to(module.device)))
        if pace.done(len(batch)):
            break
    return pace.speed


def two_batches(overrides: list[str], images: int) -> float:
    """Our side, but for a discriminator that never sees real and fake images at once."""
    coupling.can_share_a_batch = lambda *_: False
    return train(overrides, images)


def _parts(config: DictConfig) -> tuple[GAN, list[torch.optim.Optimizer], FaceBatches]:
    module: GAN = instantiate(config.gan).to(device_of(config))
    data = instantiate(config.datamodule)
    data.setup()
    return module, module.configure_optimizers(), data.train_dataloader()


def _endless(batches: FaceBatches) -> Iterator[torch.Tensor]:
    """Epoch after epoch."""
    for epoch in itertools.count():
        batches.sampler.set_epoch(epoch)
        yield from batches


def bare_step(module: GAN, optimizers: list[torch.optim.Optimizer], real: torch.Tensor) -> None:
    generator, discriminator, loss = module.generator, module.discriminator, module.loss
    with torch.no_grad():
        fake = generator(_latents(module, len(real)))
    optimizers[1].zero_grad()
    loss.discriminator(discriminator(real).float(), discriminator(fake).float()).mean().backward()
    optimizers[1].step()
    discriminator.requires_grad_(False)
    optimizers[0].zero_grad()
    count = round(module.fakes_per_real * len(real))
    fake = generator(_latents(module, count))
    loss.generator(discriminator(fake).float()).mean().backward()
    optimizers[0].step()
    discriminator.requires_grad_(True)


def _latents(module: GAN, count: int) -> torch.Tensor:
    return torch.randn(count, module.generator.latent_dim, device=module.device)


def keras(python: str, folder: Path, policy: str, images: int) -> float:
    """The report's program under one of Keras' policies for precision."""
    program = Path(__file__).with_name("keras_report.py")
    words = [python, program, folder, policy, str(images)]
    run = subprocess.run(words, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    return float(run.stdout.split()[-1])


def useful_operations(config: DictConfig) -> float:
    """FLOP for each real image of a step without a penalty: the formula above."""
    module: GAN = instantiate(config.gan)
    generator, discriminator = module.generator, module.discriminator
    image = torch.zeros(1, 3, config.data.image_size, config.data.image_size)
    of_generator = _multiplications(generator, torch.zeros(1, generator.latent_dim))
    of_discriminator = _multiplications(discriminator, image)
    g, d, f = sum(of_generator), sum(of_discriminator), module.fakes_per_real
    unneeded = 2 * of_discriminator[0] + f * of_generator[0]
    return 2 * (g + 6 * d + f * (3 * g + 2 * d) - unneeded)


def _multiplications(network: nn.Module, batch: torch.Tensor) -> list[int]:
    """Of each layer on the way forward, in order."""
    counts: list[int] = []

    def count(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        if isinstance(layer, nn.ConvTranspose2d):
            counts.append(inputs[0].numel() * layer.weight[0].numel())
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            counts.append(output.numel() * layer.weight[0].numel())

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    with torch.no_grad():
        network(batch)
    for hook in hooks:
        hook.remove()
    return counts


def compose_config(overrides: list[str]) -> DictConfig:
    chosen = any(word.startswith("trainer=") for word in overrides)
    return compose_train([*([] if chosen else ["trainer=cpu"]), *overrides])


def device_of(config: DictConfig) -> str:
    return "cpu" if config.trainer.accelerator == "cpu" else "cuda"


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:] if word.split("=")[0] in OWN)
    own = OWN | given
    overrides = [word for word in sys.argv[1:] if word.split("=")[0] not in OWN]
    images, rounds = int(own["images"]), int(own["rounds"])
    fewer = round(float(own["share"]) * images)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(own["path"] or Path(place) / "drawn")
        if not own["path"]:
            write_faces(folder, int(own["faces"]))
        overrides += ["data=folder", f"data.path={folder}", f"data.cache_dir={place}/cache"]
        with redirect_stderr(io.StringIO()):
            config = compose_config(overrides)
            instantiate(config.datamodule).prepare_data()
        others = {
            "usual": {"usual": partial(apart, usual, folder, fewer, device_of(config))},
            "plain": {"plain": partial(apart, plain_gradient_penalty, overrides, fewer)},
            "bare": {"bare": partial(apart, bare, overrides, fewer)},
            "two": {"two": partial(apart, two_batches, overrides, fewer)},
            "keras": {
                policy: partial(keras, own["keras"], folder, policy, fewer)
                for policy in ("float32", "mixed_bfloat16")
            },
        }[own["against"]]
        sides = {"train": partial(apart, train, overrides, images), **others}
        speeds = take_turns(sides, rounds, "images/s")
    for name in others:
        print(f"train / {name}: {ratio(speeds['train'], speeds[name]):.2f}")
    _tell_share(config, speeds["train"])
    print(f"{machine(device_of(config))}; {' '.join(sys.argv[1:])}")


def _tell_share(config: DictConfig, speeds: list[float]) -> None:
    """Of the processor's own limit, where the formula holds."""
    name, _ = precision.choose(config.trainer.accelerator)
    dtype = torch.bfloat16 if name == precision.FAST else torch.float32
    limit = matrix_product(dtype, device_of(config))
    print(f"{name}: a matrix product of {limit / 1e9:.0f} GFLOP/s")
    if config.gan.critic_steps == 1 and config.regularizer._target_.endswith(".Regularizer"):
        each = useful_operations(config)
        reached = each * statistics.median(speeds)
        print(
            f"useful: {each / 1e9:.2f} GFLOP an image, {reached / 1e9:.0f} GFLOP/s, "
            f"{reached / limit:.0%} of it"
        )


if __name__ == "__main__":
    main()
