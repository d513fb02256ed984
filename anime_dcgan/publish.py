"""`python -m anime_dcgan.publish`: a static site whose visitors draw faces in their browsers.

Torch is imported after the settings are checked.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from anime_dcgan.cli.checks import (
    RUN,
    Text,
    boolean,
    epoch_name,
    file_path,
    integer,
    named_path,
    one_of,
    optional,
    web_address,
)
from anime_dcgan.cli.command import command
from anime_dcgan.run.runs import WEIGHTS, resolve_checkpoint
from anime_dcgan.sharing.site_files import foreign_files, kept_files
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import atomic_write

STORAGES = ("auto", "float32", "float16", "int8")
MAX_SLIDERS = 32


@command(
    "publish",
    run=RUN,
    outputs=file_path("outputs"),
    epoch=epoch_name(),
    weights=one_of(*WEIGHTS),
    out=named_path("site"),
    title=optional(Text("the title of the page", "Faces")),
    description=optional(Text("a sentence about the page", "Faces")),
    storage=one_of(*STORAGES),
    directions=one_of("sefa", "pca"),
    sliders=integer(0, MAX_SLIDERS, example=8),
    runtime=optional(file_path("node_modules/onnxruntime-web")),
    link=optional(web_address("https://example.org")),
    overwrite=boolean(),
)
def publish(config: DictConfig) -> None:
    """Write the site of a run."""
    run, path = resolve_checkpoint(str(config.run), Path(config.outputs), str(config.epoch))
    out = Path(config.out)
    _check_out(out, config.overwrite)
    from anime_dcgan.run.checkpoint import build_generator, read
    from anime_dcgan.sharing.onnx import check_packages
    from anime_dcgan.sharing.runtime import find_runtime

    check_packages("publish")
    contents = read(path)
    generator = build_generator(contents, config.weights, path)
    with (
        find_runtime(None if config.runtime is None else Path(config.runtime)) as runtime,
        explain_os_error(f"out={out} cannot be written", "use another out=..."),
        atomic_write(out, replace=True) as partial,
    ):
        partial.mkdir()  # fails before anything slow
        weights = _write(config, run, contents, generator, runtime, partial)
        for kept in kept_files(out):
            shutil.copy2(kept, partial)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    log(
        f"the site of {path} is {out}/ ({size / 1e6:.0f} MB): put it on any web server, or open "
        f"{out / 'index.html'}"
    )
    log(f"its {weights.storage} faces are those of generate, off by {weights.difference}")


def _check_out(out: Path, overwrite: bool) -> None:
    """Raise `UserError` unless the folder is free, or a site that may be replaced."""
    if out.is_symlink() or out.is_file():
        raise UserError(f"out={out} is not a folder: use another out=...")
    if not out.is_dir() or not any(out.iterdir()):
        return
    foreign = foreign_files(out)
    if foreign:
        raise UserError(
            f"out={out} has files other than a site ({foreign[0]}), which overwrite=true would "
            "delete: use another out=..."
        )
    if not overwrite:
        raise UserError(f"out={out} exists: use another out=..., or overwrite=true")


def _write(
    config: DictConfig,
    run: Path | None,
    contents: dict[str, Any],
    generator: Any,
    runtime: Path,
    folder: Path,
) -> Any:
    """Write the site into an empty folder, and return its weights."""
    from anime_dcgan.sharing.facts import facts_of
    from anime_dcgan.sharing.site import choose_weights, write_site
    from anime_dcgan.sharing.site_texts import describe_run

    storage = None if config.storage == "auto" else config.storage
    network, weights = choose_weights(generator, storage)
    facts = facts_of(run, contents, config.weights)
    texts = describe_run(facts, contents, generator)
    chosen = {
        key: config[key] for key in ("title", "description", "link") if config[key] is not None
    }
    texts = replace(texts, **chosen)
    write_site(
        folder, generator, network, weights, runtime, texts, config.directions, config.sliders
    )
    return weights


main = publish

if __name__ == "__main__":
    main()
