"""Grids of samples from latents that are fixed for the whole run, and their animation."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from lightning import Trainer
from PIL import Image

from anime_dcgan.model.base import Generator
from anime_dcgan.model.labels import one_hot
from anime_dcgan.run.runs import Weights, by_epoch, file_stem
from anime_dcgan.sampling import image
from anime_dcgan.sampling.latent import latents_of_seeds, noise_of_seeds
from anime_dcgan.sampling.limits import check_grid
from anime_dcgan.sampling.sample import image_side, sample_images
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import write_atomically
from anime_dcgan.system.reader import is_regular, open_regular
from anime_dcgan.training.callbacks.periodic import Periodic
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.length import epoch_now
from anime_dcgan.training.logger import log_picture
from anime_dcgan.training.outputs import outputs_of

MAX_FRAMES = 150  # of the animation; longer runs are subsampled evenly
FRAMES_PER_SECOND = 8
MAX_LABELS = 16  # rows of a grid of classes
MAX_FACES_OF_LABEL = 8


class Samples(Periodic):
    """Write `<folder>/ema/epoch=0070.png` and `<folder>/raw/...`, and log them to the loggers.

    A labelled generator also gets `<folder>/labels/...`: a row for each of its most frequent
    classes, with the same latents in all rows. The file contains their names.

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

    def check_size(self, generator: Generator) -> None:
        """Raise `UserError` for a grid that is too large; see `check_grid`."""
        side = image_side(generator)
        check_grid("callbacks.samples.count", self.count, side, None, image.visible_scale(side))

    def act(self, trainer: Trainer, module: GAN) -> None:
        if not trainer.is_global_zero:
            return
        latents = latents_of_seeds(range(self.count), module.generator.latent_dim)
        noise = noise_of_seeds(range(self.count), module.generator)
        labels = module.generator.labels_of_seeds(range(self.count))
        for weights in self.weights:
            generator = module.generator_ema if weights == "ema" else module.generator
            faces = sample_images(generator, latents, noise=noise, labels=labels)
            sheet = image.grid(faces, scale=image.visible_scale(faces.shape[1]))
            self._write(trainer, module, weights, sheet)
        if module.generator_ema.labels:
            names, sheet = self._draw_labels(module.generator_ema)
            self._write(trainer, module, "labels", sheet, names)

    def _draw_labels(self, generator: Generator) -> tuple[list[str], Image.Image]:
        """Return the most frequent classes and a grid with a row of faces for each."""
        count = min(self.count, MAX_FACES_OF_LABEL)
        latents = latents_of_seeds(range(count), generator.latent_dim)
        noise = noise_of_seeds(range(count), generator)
        order = generator.label_frequencies.cpu().argsort(descending=True, stable=True)
        classes = order[:MAX_LABELS].sort().values
        faces = sample_images(
            generator,
            latents.repeat(len(classes), 1),
            noise=noise.repeat(len(classes), 1),
            labels=one_hot(classes.repeat_interleave(count), len(generator.labels)),
        )
        scale = image.visible_scale(faces.shape[1])
        return [generator.labels[each] for each in classes], image.grid(faces, count, scale)

    def _write(
        self,
        trainer: Trainer,
        module: GAN,
        kind: str,
        sheet: Image.Image,
        names: Sequence[str] | None = None,
    ) -> None:
        """Write and log a grid; `names` are those of its rows."""
        path = self._path(trainer, kind)
        save = partial(sheet.save, format="PNG", pnginfo=image.describe_rows(names))
        write = partial(write_atomically, path, save)
        outputs_of(trainer).rewrite(path, write, series=self.folder)
        log_picture(trainer, f"samples/{kind}", sheet, module.images_seen)

    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:
        if not trainer.is_global_zero:
            return
        if pl_module.images_seen and not is_regular(self._path(trainer, "ema")):
            self.act(trainer, pl_module)
        frames = by_epoch(self.folder / "ema", ".png")
        if len(frames) > 1:
            film = self.folder / "ema.gif"
            outputs_of(trainer).rewrite(film, partial(_write_film, frames, film), consequence="")

    def _path(self, trainer: Trainer, kind: str) -> Path:
        return self.folder / kind / f"{file_stem(epoch_now(trainer))}.png"


def _write_film(frames: list[Path], film: Path) -> None:
    indices = torch.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round()
    pictures = (_open(frames[int(index)]) for index in indices)
    write_atomically(film, lambda file: image.write_gif(pictures, file, FRAMES_PER_SECOND))


def _open(path: Path) -> Image.Image:
    with open_regular(path) as file, Image.open(file) as picture:
        return picture.convert("RGB")
