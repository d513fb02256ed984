"""`python -m anime_dcgan.export`: write the generator of a run for others.

Torch is imported after the settings are checked.
"""

import re
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.checks import (
    RUN,
    Several,
    Text,
    boolean,
    epoch_name,
    file_path,
    named_path,
    one_of,
    optional,
)
from anime_dcgan.cli.command import command
from anime_dcgan.run.runs import WEIGHTS, resolve_checkpoint
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError

FORMATS = ("safetensors", "torch", "onnx")
LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")


def _license(key: str, value: Any) -> None:
    """Accept an identifier of a license."""
    if not isinstance(value, str) or not LICENSE.fullmatch(value):
        raise UserError(f"{key}={value!s:.40} is not a license of the hub: use {key}=cc0-1.0")


@command(
    "export",
    run=RUN,
    outputs=file_path("outputs"),
    epoch=epoch_name(),
    weights=one_of(*WEIGHTS),
    format=Several(one_of(*FORMATS), "torch"),
    half=optional(boolean()),
    out=named_path("exported"),
    overwrite=boolean(),
    license=optional(_license),
    data_name=optional(Text("the name of the data", "my drawings")),
    push=optional(Text("the name of a repository on the hub", "owner/name")),
    private=boolean(),
)
def export(config: DictConfig) -> None:
    """Write the folder, and upload it if that is requested."""
    outputs, out = Path(config.outputs), Path(config.out)
    formats = list(config.format) if isinstance(config.format, ListConfig) else [config.format]
    if config.push is not None:
        from anime_dcgan.sharing.push import check_push

        check_push(config.push)
    run, path = resolve_checkpoint(str(config.run), outputs, str(config.epoch))
    _check_out(out, config.overwrite)
    from anime_dcgan.sharing import export as exporting
    from anime_dcgan.sharing.onnx import check_packages

    if "onnx" in formats:
        check_packages("format=onnx")
    request = exporting.Request(
        run=run,
        name=None if run is None else _name(run, outputs),
        path=path,
        weights=config.weights,
        formats=formats,
        half=config.half,
        license=config.license,
        data_name=config.data_name,
        repo=config.push,
    )
    exporting.export(request, out, config.overwrite)
    log(f"the generator of {path} ({config.weights}) in {out}")
    if config.push is not None:
        from anime_dcgan.sharing.push import push

        log(f"uploaded: {push(out, config.push, config.private, exporting.FILES)}")


def _check_out(out: Path, overwrite: bool) -> None:
    from anime_dcgan.sharing.export import check_replaceable

    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise UserError(f"out={out} exists: use another out=..., or overwrite=true")
    check_replaceable(out)


def _name(run: Path, outputs: Path) -> str:
    """Return the name of a run below the folder of all runs, or that of its folder."""
    run, outputs = run.resolve(), outputs.resolve()
    return run.relative_to(outputs).as_posix() if run.is_relative_to(outputs) else run.name


main = export

if __name__ == "__main__":
    main()
