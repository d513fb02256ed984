"""`python -m anime_dcgan.generate`: sample faces from any epoch of a run.

Torch is imported after the settings are checked, so that a mistyped override fails at once;
Lightning is not imported at all.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from anime_dcgan.cli.checks import (
    RUN,
    boolean,
    epoch_name,
    extension,
    file_path,
    integer,
    one_of,
    optional,
)
from anime_dcgan.cli.command import command
from anime_dcgan.run.runs import WEIGHTS, find_checkpoint, find_run
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import atomic_write
from anime_dcgan.system.malloc import retain_freed_memory

FILMS = (".gif", ".mp4")
FILES = (".png", ".zip", *FILMS)
FACE = re.compile(r"seed=\d+\.png")
MAX_SCALE = 64


@command(
    "generate",
    run=RUN,
    outputs=file_path("outputs"),
    epoch=epoch_name(),
    weights=one_of(*WEIGHTS),
    seed=integer(0, MAX_SEED),
    n=integer(1, example=64),
    out=extension(*FILES, folder=True, example="faces.png"),
    columns=optional(integer(1)),
    scale=integer(1, MAX_SCALE),
    precision=one_of("32-true", "bf16-mixed", "auto"),
    frames_per_face=integer(1, example=24),
    frames_per_second=integer(1, example=24),
    overwrite=boolean(),
)
def generate(config: DictConfig) -> None:
    """Write the faces of `n` consecutive seeds."""
    _check(config)
    path = _find_checkpoint(config)
    out = Path(config.out)
    if out.exists() and not config.overwrite:
        raise UserError(f"out={out} exists: use another out=..., or overwrite=true")
    _check_replaceable(out)
    from anime_dcgan.run.checkpoint import load_generator
    from anime_dcgan.system import precision

    retain_freed_memory()
    generator = load_generator(path, config.weights)
    _check_size(config, generator)
    requested = precision.choose("cpu")[0] if config.precision == "auto" else config.precision
    with precision.autocast(requested == precision.FAST):
        _write_atomically(out, config.overwrite, lambda partial: _write(config, generator, partial))
    log(f"{config.n} faces of {path} ({config.weights}) in {out}")


def _check(config: DictConfig) -> None:
    if config.seed + config.n - 1 > MAX_SEED:
        raise UserError(f"seed + n is above {MAX_SEED}: use a smaller seed=... or n=...")
    if Path(config.out).suffix.lower() in FILMS and config.n < 2:
        raise UserError(f"n={config.n} is too few for a film from face to face: use n=2 or more")


def _check_size(config: DictConfig, generator: Any) -> None:
    """Raise `UserError` for a picture or film that is too large."""
    from anime_dcgan.sampling import limits

    suffix, side = Path(config.out).suffix.lower(), limits.face_side(generator)
    if suffix == ".png":
        limits.check_grid("n", config.n, side, config.columns, config.scale)
    elif suffix in FILMS:
        limits.check_film(config.n, config.frames_per_face, side, suffix == ".gif")


def _check_replaceable(out: Path) -> None:
    """Raise `UserError` if the folder `out` has files other than generated faces."""
    if out.is_dir():
        if out.is_symlink():
            raise UserError(f"out={out} is a link to a folder: use the folder itself")
        foreign = [path.name for path in out.iterdir() if not FACE.fullmatch(path.name)]
        if foreign:
            raise UserError(
                f"out={out} has files other than faces ({foreign[0]}), which overwrite=true would "
                "delete: use another out=..."
            )


def _find_checkpoint(config: DictConfig) -> Path:
    epoch = str(config.epoch)
    if Path(epoch).suffix == ".ckpt":
        return Path(epoch)
    return find_checkpoint(find_run(str(config.run), Path(config.outputs)), epoch)


def _write(config: DictConfig, generator: Any, out: Path) -> None:
    import numpy as np

    from anime_dcgan.sampling import image, sample

    seeds = range(config.seed, config.seed + config.n)
    names = (f"seed={seed:06d}.png" for seed in seeds)
    suffix = Path(config.out).suffix.lower()
    if suffix in FILMS:
        frames = sample.film(generator, seeds, config.frames_per_face)
        sample.write_film(frames, out, config.frames_per_second)
        return
    faces = sample.faces(generator, seeds)
    if suffix == ".png":
        image.grid(np.stack(list(faces)), config.columns, config.scale).save(out)
    elif suffix == ".zip":
        sample.write_zip(faces, names, out)
    else:
        sample.write_folder(faces, names, out)


def _write_atomically(out: Path, overwrite: bool, write: Callable[[Path], None]) -> None:
    """Write a file or folder as `atomic_write` does; raise `UserError` on failure."""
    with explain_os_error(f"out={out} cannot be written", "use another out=..."):
        try:
            with atomic_write(out, replace=overwrite) as partial:
                write(partial)
                _check_replaceable(out)
        except FileExistsError:
            raise UserError(
                f"out={out} was written by another command meanwhile: use another out=..., or "
                "overwrite=true"
            ) from None


main = generate

if __name__ == "__main__":
    main()
