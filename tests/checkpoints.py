"""Checkpoints of small untrained generators."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from anime_dcgan.model import biggan, dcgan, stylegan2
from anime_dcgan.model.base import Generator

LATENT_DIM = 6


def make_checkpoint(
    path: Path,
    seed: int = 0,
    image_size: int = 16,
    images: int = 1000,
    labels: Sequence[str] = (),
    epochs: float = 1,
) -> Path:
    """Write a checkpoint of the report's generator with random averaged and raw weights."""
    settings: dict[str, Any] = {"latent_dim": LATENT_DIM, "width": 4, "image_size": image_size}
    settings |= _labels(labels)

    def make() -> dcgan.Generator:
        generator = dcgan.Generator(**settings)
        generator.project.weight.data *= 3  # so that faces differ
        return generator

    return _write(path, make, seed, settings, images, epochs)


def make_style_checkpoint(
    path: Path, seed: int = 0, image_size: int = 16, labels: Sequence[str] = ()
) -> Path:
    """Write a checkpoint of StyleGAN2's generator whose faces depend on noise and styles."""
    settings: dict[str, Any] = {
        "latent_dim": LATENT_DIM,
        "style_dim": 5,
        "width": 8,
        "channel_base": 128,
    }
    settings |= {"image_size": image_size, **_labels(labels)}

    def make() -> stylegan2.Generator:
        generator = stylegan2.Generator(**settings)
        generator.mean_style.normal_()
        for convolution in generator.convolutions:
            convolution.noise_strength.data.fill_(0.3)  # type: ignore[union-attr]
        return generator

    return _write(path, make, seed, settings, images=1000)


def make_biggan_checkpoint(
    path: Path, seed: int = 0, image_size: int = 16, labels: Sequence[str] = ()
) -> Path:
    """Write a checkpoint of BigGAN's generator, whose truncated faces need statistics."""
    settings: dict[str, Any] = {"latent_dim": 9, "width": 4, "image_size": image_size}
    settings |= _labels(labels)

    def make() -> biggan.Generator:
        generator = biggan.Generator(**settings)
        with torch.no_grad():
            for _ in range(4):  # the running statistics of a training
                generator(torch.randn(32, generator.latent_dim))
        return generator

    return _write(path, make, seed, settings, images=1000)


def _labels(labels: Sequence[str]) -> dict[str, Any]:
    return {"labels": list(labels)} if labels else {}


def _write(
    path: Path,
    make: Callable[[], Generator],
    seed: int,
    settings: dict[str, Any],
    images: int,
    epochs: float = 1,
) -> Path:
    state: dict[str, torch.Tensor] = {}
    module = ""
    with torch.random.fork_rng():
        for number, prefix in enumerate(("generator_ema", "generator")):
            torch.manual_seed(2 * seed + number)
            generator = make()
            module = type(generator).__module__
            state |= {f"{prefix}.{name}": value for name, value in generator.state_dict().items()}
    target = {"_target_": f"{module}.Generator", **settings}
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {
        "state_dict": state,
        "config": {"model": {"generator": target}},
        **{"images_seen": images, "epoch": 0, "epochs_done": epochs},
    }
    partial = path.with_name("partial")
    torch.save(contents, partial)
    partial.replace(path)
    return path
