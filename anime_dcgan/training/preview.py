"""Preview of the discriminator's input: a sheet of original and augmented training faces."""

from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig

from anime_dcgan.cli.command import instantiate
from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.data.faces import distinct_rows
from anime_dcgan.data.rows import read_rows
from anime_dcgan.game.augment import Augment
from anime_dcgan.sampling import image
from anime_dcgan.system.errors import explain_os_error
from anime_dcgan.system.files import write_atomically

ROWS = 8  # faces on the sheet, one per row
AUGMENTED_COLUMNS = 9  # shared by the strengths that are shown


def write_preview(config: DictConfig, path: Path) -> str:
    """Write the sheet, one face per row, and return a description of its columns.

    The first column is the original face; the others are augmentations of it, with adaptive
    augmentation at each of the strengths that `Augment.previews` lists.
    """
    augment: Augment = instantiate(config.augment)
    faces = _choose_faces(config)
    previews = augment.previews()
    repeats = AUGMENTED_COLUMNS // len(previews)
    torch.manual_seed(config.seed)
    images = image.to_float(torch.from_numpy(faces))
    with torch.no_grad():
        columns = [images]
        columns += [apply(images) for apply in previews.values() for _ in range(repeats)]
    pixels = image.to_uint8(torch.stack(columns, 1).flatten(0, 1))
    sheet = image.grid(pixels, len(columns), image.visible_scale(pixels.shape[1]))
    with explain_os_error(f"{path} cannot be written", "use another run=..."):
        write_atomically(path, sheet.save)
    return "original; " + "; ".join(f"{repeats} times {name}" for name in previews)


def _choose_faces(config: DictConfig) -> np.ndarray:
    """Return distinct training faces, chosen by the seed."""
    data: FacesDataModule = instantiate(config.datamodule)
    data.setup()
    faces = data.faces
    rows = distinct_rows(faces.images, faces.train_rows, ROWS, config.seed)
    return read_rows(faces.images, np.sort(rows))
