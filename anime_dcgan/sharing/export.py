"""Write an exported generator: weights, description, faces, card, and programs for others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from anime_dcgan.model.base import Generator
from anime_dcgan.run import checkpoint
from anime_dcgan.run.exported import DESCRIPTION, WEIGHTS, is_exported, read_description
from anime_dcgan.run.runs import Weights
from anime_dcgan.sampling import image
from anime_dcgan.sharing.card import FACES, ONNX, write_card
from anime_dcgan.sharing.facts import facts_of
from anime_dcgan.sharing.folder import write_generator
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.program import PROGRAM, export_torch
from anime_dcgan.sharing.verify import Reference
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import atomic_write, write_text

Format = Literal["safetensors", "torch", "onnx"]
FORMATS: tuple[Format, ...] = get_args(Format)
CARD = "README.md"
FILES = frozenset({DESCRIPTION, WEIGHTS, CARD, FACES, PROGRAM, ONNX})
"""All files that an exported folder may have."""


@dataclass(frozen=True)
class Request:
    """The settings of an export.

    Attributes:
        run, name: folder and name of the run; None if they are unknown.
        path: its checkpoint.
        half: weights of 16 bits; None decides by the faces.
        repo: owner/name on the hub, for the card.
    """

    run: Path | None
    name: str | None
    path: Path
    weights: Weights
    formats: Sequence[Format]
    half: bool | None = None
    license: str | None = None
    data_name: str | None = None
    repo: str | None = None


def check_replaceable(out: Path) -> None:
    """Raise `UserError` unless `out` is missing, an empty folder, or an export of ours."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise UserError(f"out={out} is not a folder: use another out=...")
    others = sorted({path.name for path in out.iterdir()} - FILES)
    if others or (any(out.iterdir()) and not is_exported(out)):
        found = others[0] if others else f"no {DESCRIPTION}"
        raise UserError(
            f"out={out} is not replaced, because it is not only an export (it has {found}): use "
            "another out=..."
        )


def export(request: Request, out: Path, replaces: bool = False) -> None:
    """Write the folder atomically, also where there is an empty one. Raises `UserError`."""
    contents = checkpoint.read(request.path)
    generator = checkpoint.build_generator(contents, request.weights, request.path)
    facts = facts_of(request.run, contents, request.weights, request.name, request.data_name)
    replaces = replaces or (out.is_dir() and not any(out.iterdir()))
    with (
        explain_os_error(f"out={out} cannot be written", "use another out=..."),
        atomic_write(out, replace=replaces) as folder,
    ):
        _write(folder, request, generator, contents, facts)
        check_replaceable(out)


def _write(
    folder: Path,
    request: Request,
    generator: Generator,
    contents: dict[str, Any],
    facts: dict[str, Any],
) -> None:
    write_generator(folder, generator, contents, request.path, request.weights, request.half, facts)
    description = read_description(folder)
    reference = Reference(generator)
    sheet = image.grid(reference.faces(), scale=image.visible_scale(description["image_size"]))
    sheet.save(folder / FACES)
    network = SharedGenerator(generator, half=description["bits"] == 16)
    programs = [
        _write_program(folder, each, network, reference)
        for each in FORMATS
        if each in request.formats and each != "safetensors"
    ]
    card = write_card(description, network, programs, request.license, request.repo)
    write_text(folder / CARD, card)


def _write_program(
    folder: Path, format: Format, network: SharedGenerator, reference: Reference
) -> str:
    """Write a program, log how its faces differ, and return its name."""
    if format == "torch":
        name, found = PROGRAM, export_torch(network, folder / PROGRAM, reference)
    else:
        from anime_dcgan.sharing.onnx import export_onnx

        name, found = ONNX, export_onnx(network, folder / ONNX, reference)
    log(f"{name} draws the faces of generate, off by {found}")
    return name
