"""`python -m anime_dcgan.blind`: compare two runs by eye, without knowing which is which.

A page shows pairs of faces of the same seed, one of each run, in random order. Its choices are
counted with the key, which only the folder of the page has.
"""

import random
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.checks import (
    Several,
    Text,
    boolean,
    epoch_name,
    file_path,
    integer,
    interval,
    one_of,
    optional,
)
from anime_dcgan.cli.command import command
from anime_dcgan.page.blind import write_blind_page
from anime_dcgan.run.preference import CHOICES, KEY, Key, Preference, count, read_choices, read_key
from anime_dcgan.run.runs import WEIGHTS, find_checkpoint, find_run
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.console import log, show
from anime_dcgan.system.errors import UserError, explain_os_error
from anime_dcgan.system.files import write_json
from anime_dcgan.system.table import print_table

PAGE = "page.html"
MAX_PAIRS = 500


@command(
    "blind",
    runs=Several(Text("the names of two runs", "a,b", is_path=True), "a,b", or_null=True),
    outputs=file_path("outputs"),
    epoch=epoch_name(),
    weights=one_of(*WEIGHTS),
    truncation=interval(0.0, 1.0, example=0.7),
    seed=integer(0, MAX_SEED - MAX_PAIRS),
    n=integer(1, MAX_PAIRS, example=64),
    out=file_path("blind"),
    overwrite=boolean(),
    choices=optional(file_path(CHOICES)),
    key=optional(file_path(KEY)),
)
def blind(config: DictConfig) -> None:
    """Write the page of a comparison, or count the choices that were made on one."""
    if config.choices is not None:
        choices = Path(config.choices)
        key = choices.parent / KEY if config.key is None else Path(config.key)
        _print_preference(count(read_key(key), read_choices(choices)))
        return
    if config.runs is None:
        raise UserError("runs=... is missing: use runs=a,b for a page, or choices=choices.json")
    _write_comparison(config)


def _write_comparison(config: DictConfig) -> None:
    names = list(config.runs) if isinstance(config.runs, ListConfig) else [config.runs]
    if len(names) != 2:
        raise UserError(f"runs={','.join(map(str, names))} must be two runs: use runs=a,b")
    outputs, out = Path(config.outputs), Path(config.out)
    found = [find_run(str(name), outputs, f"runs={name}") for name in names]
    paths = [find_checkpoint(run, str(config.epoch)) for run in found]
    if not config.overwrite and any((out / name).exists() for name in (PAGE, KEY)):
        raise UserError(f"out={out} has a comparison: use another out=..., or overwrite=true")
    seeds = range(config.seed, config.seed + config.n)
    faces = [_faces(path, seeds, config) for path in paths]
    swapped = [random.SystemRandom().random() < 0.5 for _ in seeds]
    pairs = [
        (second, first) if swap else (first, second)
        for swap, first, second in zip(swapped, *faces, strict=True)
    ]
    with explain_os_error(f"out={out} cannot be written", "use another out=..."):
        out.mkdir(parents=True, exist_ok=True)
        digest = write_blind_page(pairs, out / PAGE)
        write_json(out / KEY, Key(digest, tuple(map(str, paths)), tuple(swapped)).to_json())
    log(f"{config.n} pairs are in {out / PAGE}: open it in a browser, and do not look into {KEY}")
    log(f"then count the choices: python -m anime_dcgan.blind choices={CHOICES} key={out / KEY}")


def _faces(path: Path, seeds: range, config: DictConfig) -> list[Any]:
    """Return the faces of a checkpoint as pictures."""
    from PIL import Image

    from anime_dcgan.run.checkpoint import load_generator
    from anime_dcgan.sampling.sample import faces
    from anime_dcgan.sampling.standing import with_standing_statistics

    generator = with_standing_statistics(
        load_generator(path, config.weights), float(config.truncation)
    )
    return [Image.fromarray(face) for face in faces(generator, seeds, config.truncation)]


def _print_preference(preference: Preference) -> None:
    from rich.table import Table

    table = Table(title=f"{preference.decided} of {preference.pairs} pairs were decided")
    table.add_column("run")
    for name in ("preferred", "of the decided", "95 % interval"):
        table.add_column(name, justify="right")
    for run, wins in zip(preference.runs, preference.wins, strict=True):
        low, high = preference.interval(wins)
        share = f"{wins / preference.decided:.0%}" if preference.decided else "-"
        interval = f"{low:.0%} to {high:.0%}" if preference.decided else "-"
        table.add_row(run, str(wins), share, interval)
    print_table(table)
    chance = preference.probability
    show(f"Coin tosses prefer one of them at least as clearly with probability {chance:.2g}.")


main = blind

if __name__ == "__main__":
    main()
