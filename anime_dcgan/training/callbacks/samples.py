"""Grids of samples from latents that are fixed for the whole run, and their animation."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightning import Trainer
from PIL import Image

from anime_dcgan.run.runs import Weights, by_epoch, file_stem
from anime_dcgan.sampling import image
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.limits import check_grid, face_side
from anime_dcgan.sampling.sample import sample_images
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_atomically, write_or_warn
from anime_dcgan.system.reader import open_regular
from anime_dcgan.training.callbacks.periodic import Periodic
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now
from anime_dcgan.training.logger import write_events

MAX_FRAMES = 150  # of the animation; longer runs are subsampled evenly
FRAMES_PER_SECOND = 8


class Samples(Periodic):
    """Write `<folder>/ema/epoch=0070.png` and `<folder>/raw/...`, and log them to TensorBoard.

    Parameters:
        folder: folder of the grids.
        count: faces per grid; face i is that of seed i.
        every_epochs, every_kimg: as in `Periodic`.
    """

    weights: tuple[Weights, Weights] = ("ema", "raw")

    def __init__(
        self,
        folder: str,
        count: int = 64,
        every_epochs: int | str | None = 1,
        every_kimg: float | None = None,
    ) -> None:
        super().__init__(every_epochs, every_kimg)
        if count < 1:
            raise UserError(
                f"callbacks.samples.count={count} must be at least 1: "
                "use callbacks.samples.count=64"
            )
        self.folder = Path(folder)
        self.count = count

    def on_fit_start(self, trainer: Trainer, pl_module: GAN) -> None:
        side = face_side(pl_module.generator)
        check_grid("callbacks.samples.count", self.count, side, None, image.visible_scale(side))

    def act(self, trainer: Trainer, module: GAN) -> None:
        if not trainer.is_global_zero:
            return
        latents = latents_of_seeds(range(self.count), module.generator.latent_dim)
        noise = noise_of_seeds(range(self.count), module.generator)
        for weights in self.weights:
            generator = module.generator_ema if weights == "ema" else module.generator
            faces = sample_images(generator, latents, noise=noise)
            sheet = image.grid(faces, scale=image.visible_scale(faces.shape[1]))
            _write(self._path(trainer, weights), partial(sheet.save, format="PNG"))
            _log(trainer, f"samples/{weights}", sheet, module.images_seen)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        if not trainer.is_global_zero:
            return
        if pl_module.images_seen and not self._path(trainer, "ema").exists():
            self.act(trainer, pl_module)
        frames = by_epoch(self.folder / "ema", ".png")
        if len(frames) > 1:
            indices = torch.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round()
            pictures = (_open(frames[int(index)]) for index in indices)
            _write(
                self.folder / "ema.gif",
                lambda file: image.write_gif(pictures, file, FRAMES_PER_SECOND),
            )

    def _path(self, trainer: Trainer, weights: Weights) -> Path:
        return self.folder / weights / f"{file_stem(epoch_now(trainer))}.png"


def _log(trainer: Trainer, tag: str, sheet: Image.Image, images: int) -> None:
    pixels = np.asarray(sheet)
    write_events(trainer, lambda writer: writer.add_image(tag, pixels, images, dataformats="HWC"))


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """Write a picture atomically, or warn: a failure never ends the training."""
    write_or_warn(lambda: write_atomically(path, write), path, "training continues")


def _open(path: Path) -> Image.Image:
    with open_regular(path) as file, Image.open(file) as picture:
        return picture.convert("RGB")
