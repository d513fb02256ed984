"""What the discriminator sees: a sheet of training faces, as they are and augmented."""

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
from anime_dcgan.system.errors import UserError

FACES = 8  # rows of the sheet
TIMES = 9  # that a face is augmented, in all


def write_preview(config: DictConfig, path: Path) -> str:
    """Write the sheet, a face in a row, and say what its columns are.

    The first column is the face as it is, the others are the same face augmented several times, for
    adaptive augmentation at each of the strengths that `Augment.previews` names.
    """
    augment: Augment = instantiate(config.augment)
    faces = _real(config)
    changes = augment.previews()
    times = TIMES // len(changes)
    torch.manual_seed(config.seed)
    images = image.to_float(torch.from_numpy(faces))
    with torch.no_grad():
        columns = [images, *(change(images) for change in changes.values() for _ in range(times))]
    pixels = image.to_uint8(torch.stack(columns, 1).flatten(0, 1))
    sheet = image.grid(pixels, len(columns), image.visible_scale(pixels.shape[1]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}; name another run=...") from None
    return "as it is; " + "; ".join(f"{times} times {name}" for name in changes)


def _real(config: DictConfig) -> np.ndarray:
    """Different training faces that the seed chooses."""
    data: FacesDataModule = instantiate(config.datamodule)
    data.setup()
    faces = data.faces
    rows = distinct_rows(faces.images, faces.train_rows, FACES, config.seed)
    return read_rows(faces.images, np.sort(rows))
