"""Small generators of every kind, with statistics and weights as after a training."""

from collections.abc import Callable

import torch

from anime_dcgan.model import biggan, dcgan, r3gan, radford, stylegan2
from anime_dcgan.model.base import Generator

LABELS = ("blue", "green", "red")
SIZE = 8
KINDS: dict[str, Callable[..., Generator]] = {
    "dcgan": lambda labels: dcgan.Generator(12, 8, SIZE, labels),
    "radford": lambda labels: radford.Generator(12, 8, SIZE, labels),
    "stylegan2": lambda labels: stylegan2.Generator(12, 12, 8, 128, image_size=SIZE, labels=labels),
    "biggan": lambda labels: biggan.Generator(12, 4, SIZE, labels=labels),
    "r3gan": lambda labels: r3gan.Generator(12, 32, 8, 8, 1, SIZE, labels),
}


def small_generator(kind: str, labels: tuple[str, ...] = ()) -> Generator:
    torch.manual_seed(0)
    generator = KINDS[kind](labels).train()
    with torch.no_grad():
        for name, weight in generator.named_parameters():
            weight.add_(0.15 * torch.randn_like(weight))
            if name.endswith("noise_strength"):
                weight.fill_(0.3)
        for _ in range(3):
            rows = torch.eye(len(labels))[torch.randint(len(labels), (16,))] if labels else None
            generator(torch.randn(16, generator.latent_dim), labels=rows)
    return generator.eval().requires_grad_(False)
