"""`python -m anime_dcgan.generate`: draw faces from any epoch of a run.

Torch is imported when the drawing begins, so that the word about a mistyped override comes at
once; Lightning is not imported at all.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from anime_dcgan.cli.command import check_switch, check_whole_number, command
from anime_dcgan.run.runs import WEIGHTS, find_checkpoint, find_run
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system import scratch
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.malloc import retain_freed_memory

FILMS = (".gif", ".mp4")
FILES = (".png", ".zip", *FILMS)
FACE = re.compile(r"seed=\d+\.png")
LARGEST_SCALE = 64
PRECISIONS = ("32-true", "bf16-mixed", "auto")


@command("generate")
def generate(config: DictConfig) -> None:
    _check(config)
    path = _find(config)
    out = Path(config.out)
    if out.exists() and not config.overwrite:
        raise UserError(f"{out} exists: name another out=..., or use overwrite=true")
    _check_replaceable(out)
    from anime_dcgan.run.checkpoint import load_generator
    from anime_dcgan.system import precision

    retain_freed_memory()
    generator = load_generator(path, config.weights)
    wanted = precision.choose("cpu")[0] if config.precision == "auto" else config.precision
    with precision.autocast(wanted == precision.FAST):
        _write_whole(out, lambda place: _write(config, generator, place))
    log(f"{config.n} faces of {path} ({config.weights}) in {out}")


def _check_replaceable(out: Path) -> None:
    """Nothing but faces that were drawn before is replaced by others."""
    if out.is_dir():
        if out.is_symlink():
            raise UserError(f"out={out} is a link to a folder: name the folder itself")
        foreign = [path.name for path in out.iterdir() if not FACE.fullmatch(path.name)]
        if foreign:
            raise UserError(
                f"out={out} holds other things than faces ({foreign[0]}), which overwrite=true "
                "would delete: name another out=..."
            )


def _check(config: DictConfig) -> None:
    if not isinstance(config.out, str) or not Path(config.out).name:
        raise UserError(f"out={config.out} names no file or folder: use out=faces.png")
    check_switch(config, "overwrite")
    check_whole_number(config, "seed", least=0)
    numbers = ("n", "scale", "frames_per_face", "frames_per_second")
    for name in (*numbers, *(() if config.columns is None else ("columns",))):
        check_whole_number(config, name)
    if config.scale > LARGEST_SCALE:
        raise UserError(f"scale={config.scale} is too large: use scale={LARGEST_SCALE} or less")
    if config.seed + config.n - 1 > MAX_SEED:
        raise UserError(f"seed + n goes beyond {MAX_SEED}: use a smaller seed=... or n=...")
    if config.weights not in WEIGHTS:
        raise UserError(f"weights={config.weights} is unknown: use weights=ema or weights=raw")
    if config.precision not in PRECISIONS:
        raise UserError(
            f"precision={config.precision} is unknown: use one of {', '.join(PRECISIONS)}"
        )
    suffix = Path(config.out).suffix.lower()
    if suffix and suffix not in FILES:
        raise UserError(f"out={config.out}: use an ending of {', '.join(FILES)}, or a folder")
    if suffix in FILMS and config.n < 2:
        raise UserError("a film leads from face to face: use n=2 or more")


def _find(config: DictConfig) -> Path:
    epoch = str(config.epoch)
    if Path(epoch).suffix == ".ckpt":
        return Path(epoch)
    return find_checkpoint(find_run(str(config.run), Path(config.outputs)), epoch)


def _write(config: DictConfig, generator: Any, out: Path) -> None:
    import numpy as np

    from anime_dcgan.sampling import image, sample

    seeds = range(config.seed, config.seed + config.n)
    names = [f"seed={seed:06d}.png" for seed in seeds]
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


def _write_whole(out: Path, write: Callable[[Path], None]) -> None:
    """Write beside `out` and rename at the end, so that nothing half-made takes its name."""
    partial = out.with_name(f".partial-{out.name}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        if out.is_dir():
            shutil.rmtree(out)
        partial.replace(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error}; name another out=...") from None
    finally:
        scratch.remove(partial)


main = generate

if __name__ == "__main__":
    main()
