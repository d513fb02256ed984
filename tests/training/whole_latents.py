"""A callback that gives several processes the parts of one process's latents."""

from pathlib import Path

import torch
from lightning import Callback, Trainer

from anime_dcgan.training.gan import GAN


class WholeLatents(Callback):
    """Draw latents for all processes, take this one's, and save the final weights to a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.draws = 0

    def on_fit_start(self, trainer: Trainer, pl_module: GAN) -> None:
        def draw(count: int) -> torch.Tensor:
            self.draws += 1
            random = torch.Generator().manual_seed(self.draws)
            size = (count * trainer.world_size, pl_module.generator.latent_dim)
            whole = torch.randn(size, generator=random)
            return whole[trainer.global_rank * count :][:count]

        pl_module._draw_latents = draw  # type: ignore[method-assign]

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        name = f"{trainer.global_rank}-of-{trainer.world_size}.pt"
        torch.save(pl_module.state_dict(), self.folder / name)
