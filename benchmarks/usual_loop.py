"""Baseline of the benchmarks: DCGAN as implemented in tutorials.

    python -m benchmarks.usual_loop FOLDER HOURS [overrides of train's data ...]

The networks of Radford et al. (`model=radford`, width 64), binary cross-entropy, Adam (2e-4,
beta1 0.5) for both, batches of 64, float32, NCHW, one backward for real and one for fake images,
no moving average. It has two advantages here: it reads decoded faces from our cache,
whereas tutorials decode every picture in every epoch, and it neither logs nor samples.

It writes a checkpoint to FOLDER/checkpoints after each epoch, for `evaluate weights=raw` and
`generate weights=raw`, and resumes from the last one. HOURS is the total training time, including
earlier sessions. It prints images/s after each epoch.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.nn import functional

from anime_dcgan.cli.command import instantiate
from anime_dcgan.model.radford import Discriminator, Generator
from anime_dcgan.run.runs import by_epoch, file_stem
from benchmarks.measure import compose_train

BATCH = 64


class TutorialLoop:
    """Generator, discriminator and their optimizers, stepped as in tutorials."""

    def __init__(self, image_size: int, device: str = "cpu") -> None:
        self.generator = Generator(image_size=image_size).to(device)
        self.discriminator = Discriminator(image_size=image_size).to(device)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]

    def step(self, real: Tensor) -> None:
        """Take one step on images of shape (n, 3, h, w) in [-1, 1]."""
        generator_optimizer, discriminator_optimizer = self.optimizers
        self.discriminator.zero_grad()
        _cost(self.discriminator(real), 1.0).backward()
        latents = torch.randn(len(real), self.generator.latent_dim, device=real.device)
        fake = self.generator(latents)
        _cost(self.discriminator(fake.detach()), 0.0).backward()
        discriminator_optimizer.step()
        self.generator.zero_grad()
        _cost(self.discriminator(fake), 1.0).backward()
        generator_optimizer.step()

    def save(self, folder: Path, config: dict[str, Any], epoch: int, images: int, s: float) -> None:
        """Save a checkpoint in our format, with the raw generator as the average too."""
        raw = self.generator.state_dict()
        state = {
            f"{prefix}.{name}": tensor
            for prefix in ("generator", "generator_ema")
            for name, tensor in raw.items()
        }
        state |= {f"discriminator.{k}": v for k, v in self.discriminator.state_dict().items()}
        contents = {
            "state_dict": state,
            "optimizer_states": [optimizer.state_dict() for optimizer in self.optimizers],
            "config": config,
            **{"images_seen": images, "epoch": epoch, "epochs_done": epoch, "seconds": s},
        }
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "partial"
        torch.save(contents, partial)
        partial.replace(folder / f"{file_stem(epoch)}.ckpt")

    def load(self, contents: dict[str, Any]) -> None:
        """Restore what `save` wrote."""
        state = contents["state_dict"]
        for name in ("generator", "discriminator"):
            own = {
                k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")
            }
            getattr(self, name).load_state_dict(own)
        for optimizer, optimizer_state in zip(
            self.optimizers, contents["optimizer_states"], strict=True
        ):
            optimizer.load_state_dict(optimizer_state)


def _cost(logits: Tensor, label: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def to_nchw(pixels: Tensor) -> Tensor:
    """Convert pixels (n, h, w, 3) of 0..255 to the layout and range used in tutorials."""
    return pixels.permute(0, 3, 1, 2).contiguous().float().div(127.5).sub(1.0)


def compose_config(overrides: list[str]) -> DictConfig:
    config = compose_train(["model=radford", f"data.batch_size={BATCH}", *overrides])
    OmegaConf.resolve(config.data)
    OmegaConf.resolve(config.model)
    return config


def main() -> None:
    folder, hours = Path(sys.argv[1]) / "checkpoints", float(sys.argv[2])
    config = compose_config(sys.argv[3:])
    saved_config = {name: OmegaConf.to_container(config[name]) for name in ("data", "model")}
    data = instantiate(config.datamodule)
    data.setup()
    batches = data.train_dataloader()
    torch.manual_seed(config.seed)
    loop = TutorialLoop(config.data.image_size)
    epoch, images, seconds = 0, 0, 0.0
    if checkpoints := by_epoch(folder, ".ckpt"):
        contents = torch.load(checkpoints[-1], weights_only=True)
        loop.load(contents)
        epoch, images, seconds = (
            contents[key] for key in ("epochs_done", "images_seen", "seconds")
        )
        print(
            f"resuming after epoch {epoch}, {images:,} images, {seconds / 3600:.2f} h", flush=True
        )
    while seconds < 3600 * hours:
        start = time.perf_counter()
        batches.sampler.set_epoch(epoch)
        for pixels in batches:
            loop.step(to_nchw(pixels))
            images += len(pixels)
            if seconds + time.perf_counter() - start >= 3600 * hours:
                break
        epoch, seconds = epoch + 1, seconds + time.perf_counter() - start
        loop.save(folder, {**saved_config, "seed": config.seed}, epoch, images, seconds)
        print(
            f"epoch {epoch}  {images:,} images  {seconds / 3600:.2f} h"
            f"  {images / seconds:.1f} images/s",
            flush=True,
        )


if __name__ == "__main__":
    main()
