"""`python -m anime_dcgan.generate`: sample faces from any epoch of a run.

Torch is imported after the settings are checked, so that a mistyped override fails at once;
Lightning is not imported at all.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.checks import (
    RUN,
    Several,
    Text,
    boolean,
    epoch_name,
    extension,
    file_path,
    integer,
    interval,
    one_of,
    optional,
)
from anime_dcgan.cli.command import command
from anime_dcgan.run.runs import WEIGHTS, resolve_checkpoint
from anime_dcgan.sampling.layers import parse_layers
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import atomic_write
from anime_dcgan.system.malloc import retain_freed_memory

FILMS = (".gif", ".mp4")
FILES = (".png", ".zip", *FILMS)
FACE = re.compile(r"seed=\d+\.png")
MAX_SCALE = 64
MAX_FACTOR = 4
METHODS = ("auto", "realcugan", "lanczos")  # of upscaling


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
    upscale=integer(1, MAX_FACTOR, example=4),
    upscaler=one_of(*METHODS),
    precision=one_of("32-true", "bf16-mixed", "auto"),
    truncation=interval(0.0, 1.0, example=0.7),
    mix=Several(integer(0, MAX_SEED, example=100), "100,101", or_null=True),
    layers=optional(parse_layers),
    label=optional(Text("the name of a class", "blue")),
    labels=Several(Text("the name of a class, or all", "all"), "all", or_null=True),
    frames_per_face=integer(1, example=24),
    space=one_of("latent", "style"),
    frames_per_second=integer(1, example=24),
    overwrite=boolean(),
)
def generate(config: DictConfig) -> None:
    """Write the faces of `n` consecutive seeds."""
    _check(config)
    _, path = resolve_checkpoint(str(config.run), Path(config.outputs), str(config.epoch))
    out = Path(config.out)
    if out.exists() and not config.overwrite:
        raise UserError(f"out={out} exists: use another out=..., or overwrite=true")
    _check_replaceable(out)
    from anime_dcgan.run.checkpoint import load_generator
    from anime_dcgan.sampling.sample import image_side
    from anime_dcgan.sampling.standing import with_standing_statistics
    from anime_dcgan.sampling.upscale import Upscaler
    from anime_dcgan.system import precision

    retain_freed_memory()
    generator = load_generator(path, config.weights)
    if config.label is not None:
        generator = generator.of_label(config.label)
    generator = with_standing_statistics(generator, config.truncation)
    upscaler = Upscaler(config.upscale, config.upscaler)
    _check_size(config, generator, image_side(generator) * upscaler.factor)
    requested = precision.choose("cpu")[0] if config.precision == "auto" else config.precision
    with precision.autocast(requested == precision.FAST):
        _write_atomically(
            out, config.overwrite, lambda partial: _write(config, generator, upscaler, partial)
        )
    drawn = _describe(config, generator)
    log(f"{drawn} of {path} ({config.weights}) in {out}{upscaler}")


def _describe(config: DictConfig, generator: Any) -> str:
    """Return what was drawn, for the log."""
    faces = f"{config.n} {'face' if config.n == 1 else 'faces'}"
    if config.labels is None:
        return faces
    count = len(_labels(config, generator))
    if Path(config.out).suffix.lower() in FILMS:
        return f"a face through {count} labels"
    return f"{faces} of each of {count} labels"


def _check(config: DictConfig) -> None:
    if config.seed + config.n - 1 > MAX_SEED:
        raise UserError(f"seed + n is above {MAX_SEED}: use a smaller seed=... or n=...")
    suffix = Path(config.out).suffix.lower()
    if suffix in FILMS and config.n < 2 and config.labels is None:
        raise UserError(f"n={config.n} is too few for a film from face to face: use n=2 or more")
    if config.labels is not None:
        _check_labels(config, suffix)
    if config.mix is not None and suffix != ".png":
        raise UserError(f"out={config.out} must be a .png for mix=...: use out=mixing.png")
    if config.layers is not None and config.mix is None:
        raise UserError(f"layers={config.layers} needs the seeds of styles: use mix=1,2")


def _check_labels(config: DictConfig, suffix: str) -> None:
    if config.label is not None:
        raise UserError("label=... and labels=... contradict each other: use one of them")
    if config.mix is not None:
        raise UserError("labels=... and mix=... give different sheets: use one of them")
    if suffix not in (".png", *FILMS):
        raise UserError(
            f"out={config.out} has no rows for labels=...: use out=faces.png, a film, or label=... "
            "for faces of one label"
        )


def _check_size(config: DictConfig, generator: Any, side: int) -> None:
    """Raise `UserError` for a picture or film of faces of `side` px that is too large."""
    from anime_dcgan.sampling import limits

    suffix = Path(config.out).suffix.lower()
    if config.mix is not None:
        across = len(_several(config.mix)) + 1
        limits.check_grid("n", (config.n + 1) * across, side, across, config.scale)
    elif config.labels is not None:
        count = len(_labels(config, generator))
        if suffix == ".png":
            limits.check_grid("n", config.n * count, side, config.n, config.scale)
        else:
            limits.check_film(count, config.frames_per_face, config.scale * side, suffix == ".gif")
    elif suffix == ".png":
        limits.check_grid("n", config.n, side, config.columns, config.scale)
    elif suffix in FILMS:
        limits.check_film(config.n, config.frames_per_face, config.scale * side, suffix == ".gif")


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


def _write(config: DictConfig, generator: Any, upscaler: Any, out: Path) -> None:
    import numpy as np

    from anime_dcgan.sampling import film, image, sample

    suffix = Path(config.out).suffix.lower()
    if suffix in FILMS:
        frames = _scaled(upscaler(_frames(config, generator)), config.scale)
        film.write_film(frames, out, config.frames_per_second)
    elif suffix == ".png":
        faces, columns = _sheet(config, generator)
        image.grid(np.stack(list(upscaler(faces))), columns, config.scale).save(out)
    else:
        names = (f"seed={seed:06d}.png" for seed in _seeds(config))
        faces = upscaler(sample.faces(generator, _seeds(config), config.truncation))
        faces = _scaled(faces, config.scale)
        write = sample.write_zip if suffix == ".zip" else sample.write_folder
        write(faces, names, out)


def _scaled(faces: Iterable[Any], scale: int) -> Iterator[Any]:
    from anime_dcgan.sampling.image import repeat_pixels

    return (repeat_pixels(face, scale) for face in faces)


def _seeds(config: DictConfig) -> range:
    return range(config.seed, config.seed + config.n)


def _frames(config: DictConfig, generator: Any) -> Any:
    """Return the frames of the film."""
    from anime_dcgan.sampling.film import film
    from anime_dcgan.sampling.labels import label_film

    length, truncation = config.frames_per_face, config.truncation
    if config.labels is not None:
        return label_film(generator, config.seed, _labels(config, generator), length, truncation)
    in_style_space = config.space == "style"
    return film(generator, _seeds(config), length, truncation, in_style_space)


def _sheet(config: DictConfig, generator: Any) -> tuple[Any, int | None]:
    """Return the faces of the sheet row by row, and the number of columns."""
    from anime_dcgan.sampling.labels import label_sheet
    from anime_dcgan.sampling.mixing import mixing_sheet
    from anime_dcgan.sampling.sample import faces

    seeds, truncation = _seeds(config), config.truncation
    if config.mix is not None:
        sources = [int(seed) for seed in _several(config.mix)]
        layers = None if config.layers is None else parse_layers("layers", config.layers)
        return mixing_sheet(generator, seeds, sources, layers, truncation), len(sources) + 1
    if config.labels is not None:
        return label_sheet(generator, seeds, _labels(config, generator), truncation), config.n
    return faces(generator, seeds, truncation), config.columns


def _labels(config: DictConfig, generator: Any) -> list[str]:
    from anime_dcgan.sampling.labels import choose_labels

    return choose_labels(generator, _several(config.labels))


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, ListConfig) else [value]


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
