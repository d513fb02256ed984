"""Checkpoints of small untrained generators."""

from pathlib import Path

import torch

from anime_dcgan.model import dcgan

LATENT_DIM = 6


def make_checkpoint(path: Path, seed: int = 0, image_size: int = 16, images: int = 1000) -> Path:
    """Write a checkpoint of the report's generator with random averaged and raw weights."""
    settings = {"latent_dim": LATENT_DIM, "width": 4, "image_size": image_size}
    state: dict[str, torch.Tensor] = {}
    with torch.random.fork_rng():
        for number, prefix in enumerate(("generator_ema", "generator")):
            torch.manual_seed(2 * seed + number)
            generator = dcgan.Generator(**settings)
            generator.project.weight.data *= 3  # so that faces differ
            state |= {f"{prefix}.{name}": value for name, value in generator.state_dict().items()}
    target = {"_target_": "anime_dcgan.model.dcgan.Generator", **settings}
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {
        "state_dict": state,
        "config": {"model": {"generator": target}},
        **{"images_seen": images, "epoch": 0, "epochs_done": 1},
    }
    partial = path.with_name("partial")
    torch.save(contents, partial)
    partial.replace(path)
    return path
