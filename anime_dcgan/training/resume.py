"""Checks of a checkpoint, before a training that resumes from it changes any file."""

from pathlib import Path
from typing import Any

from lightning import Trainer
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.run import checkpoint
from anime_dcgan.run.settings import check_resumable, check_same_faces
from anime_dcgan.system.errors import UserError


def check_checkpoint(
    path: Path, config: DictConfig, data: FacesDataModule, trainer: Trainer
) -> None:
    """Raise `UserError` if the training cannot resume from a checkpoint.

    It must have been trained with the same critical settings on the same faces, and not beyond the
    budget.
    """
    if not path.is_file():  # Lightning would take "best" and "hpc" for words of its own
        raise UserError(
            f"ckpt_path={path} is not a file: use ckpt_path=last or the path of a checkpoint"
        )
    contents = checkpoint.read(path)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    check_resumable(contents["config"], plain)
    _check_budget(contents, config, data.batch_size * data.accumulate * trainer.world_size)
    data.setup()
    check_same_faces(checkpoint.faces_of(contents), data.faces.fingerprint())


def _check_budget(contents: dict[str, Any], config: DictConfig, step_images: int) -> None:
    """Raise `UserError` if the run has more epochs or images than it may have.

    The last step may exceed a budget in images.
    """
    epochs, images = (_number(contents, name) for name in ("epochs_done", "images_seen"))
    max_epochs, max_kimg = config.trainer.max_epochs, config.max_kimg
    if max_epochs is not None and 0 <= max_epochs < epochs:
        raise UserError(
            f"this run has {epochs:g} epochs already: set trainer.max_epochs above that"
        )
    if max_kimg is not None and images >= 1000 * max_kimg + step_images:
        raise UserError(
            f"this run has {images:,} images already: set max_kimg above {images / 1000:g}"
        )


def _number(contents: dict[str, Any], name: str) -> float:
    """Return a number of a checkpoint, which may be a stranger's; 0 if it has none."""
    value = contents.get(name)
    return value if isinstance(value, int | float) else 0
