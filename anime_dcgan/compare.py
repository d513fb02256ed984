"""`python -m anime_dcgan.compare outputs/...`: rank runs, with the uncertainty of the ranking.

It reads the files of the runs only: torch is never loaded.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.checks import Several, Text, extension, file_path, one_of, optional, positive
from anime_dcgan.cli.command import command
from anime_dcgan.cli.overrides import quote_value, split_options
from anime_dcgan.system.console import log, show
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.table import print_table

if TYPE_CHECKING:
    from anime_dcgan.run.entries import Entry
    from anime_dcgan.run.ranking import Ranking


@command(
    "compare",
    paths=Several(file_path("outputs"), "outputs", or_null=True),
    outputs=file_path("outputs"),
    distance=optional(Text("the name of a distance", "swd/mean")),
    by=one_of("images", "hours"),
    kimg=optional(positive(example=100)),
    hours=optional(positive(example=2)),
    choice=one_of("best", "last"),
    out=optional(extension(".html", ".htm", example="compare.html")),
)
def compare(config: DictConfig) -> None:
    """Print the ranking of the runs, and write it as a page."""
    paths = _paths(config)
    from anime_dcgan.page.comparison import write_comparison
    from anime_dcgan.run.entries import choose_criterion, find_runs, read_entry
    from anime_dcgan.run.ranking import rank

    notes: list[str] = []
    found = [read_entry(run, notes) for run in find_runs(paths, notes)]
    entries = [entry for entry in found if entry is not None]
    for note in notes:
        log(f"note: {note}")
    logged = len(notes)
    criterion = choose_criterion(entries, config.distance)
    if criterion is None:
        raise UserError(_nothing_measured(entries, paths, config.distance))
    budget = _budget(config)
    ranking = rank(entries, criterion, budget, config.choice, config.by)
    if not ranking.recipes:
        raise UserError(_nothing_ranked(config))
    missing = _missing(entries, ranking)
    _print_table(ranking, missing)
    out = _out(config, paths)
    write_comparison(ranking, out, notes, missing)
    for note in notes[logged:]:
        log(f"note: {note}")
    log(f"the comparison is {out}: open it in a browser")


def _budget(config: DictConfig) -> float | None:
    """Return the images or hours of the comparison; None if they are not given."""
    name, other = ("hours", "kimg") if config.by == "hours" else ("kimg", "hours")
    if config[other] is not None:
        unit = "images" if other == "kimg" else "hours"
        raise UserError(
            f"{other}={config[other]} is a budget of by={unit}, and this is by={config.by}: "
            f"use by={unit}, or {name}=... instead"
        )
    if config[name] is None:
        return None
    return float(config[name]) if name == "hours" else 1000.0 * config[name]


def _nothing_ranked(config: DictConfig) -> str:
    if config.by == "hours" and config.hours is None:
        return "by=hours: no run recorded its hours of training: use by=images"
    name = "hours" if config.by == "hours" else "kimg"
    return f"no run was measured at {name}={config[name]}: use a smaller one, or {name}=null"


def _paths(config: DictConfig) -> list[Path]:
    given = config.outputs if config.paths is None else config.paths
    paths = [Path(str(path)) for path in (given if isinstance(given, ListConfig) else [given])]
    for path in paths:
        if not path.is_dir():
            raise UserError(
                f"{path} is not a folder: use folders of runs, for example {config.outputs}"
            )
    return paths


def _out(config: DictConfig, paths: list[Path]) -> Path:
    """Return the path of the page: in the compared folder, or in `outputs` if there are several."""
    if config.out is not None:
        return Path(config.out)
    return (paths[0] if len(paths) == 1 else Path(config.outputs)) / "compare.html"


def _nothing_measured(entries: "list[Entry]", paths: list[Path], distance: str | None) -> str:
    where = ", ".join(map(str, paths))
    if not entries:
        return f"there is no run in {where}: use folders of runs"
    measured = {
        name
        for entry in entries
        for observations in entry.measured.values()
        for observation in observations
        for name in observation.values
        if "/" in name
    }
    if distance is not None and measured:
        return f"no run has distance={distance}: use one of {', '.join(sorted(measured))}"
    return (
        f"none of the {len(entries)} runs in {where} was measured: train with metric=swd, or "
        "measure them with python -m anime_dcgan.evaluate run=..."
    )


def _missing(entries: "list[Entry]", ranking: "Ranking") -> "list[Entry]":
    """Return the runs that are not ranked, and those that are but failed later."""
    ranked = [entry for recipe in ranking.recipes for entry in recipe.entries]
    return [entry for entry in entries if entry.failure or entry not in ranked]


def _print_table(ranking: "Ranking", missing: "list[Entry]") -> None:
    from rich.table import Table

    from anime_dcgan.page import formatting
    from anime_dcgan.page.comparison import (
        describe_budget,
        describe_state,
        mean_floor,
        table_rows,
    )

    title = f"{ranking.criterion.distance} within {describe_budget(ranking)}: lower is better"
    table = Table(title=title)
    for name in ("rank", "recipe"):
        table.add_column(name)
    for name in ("distance", "above floor", "±", "seeds", "kimg", "hours", "precision", "recall"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for line in table_rows(ranking):
        values = (line.distance, line.above_floor, line.error, line.seeds, line.kimg)
        rest = (line.hours, line.precision, line.recall, line.verdict)
        style = "bold green" if line.is_as_good else None
        table.add_row(line.rank, line.label, *values, *rest, style=style)
    floor = mean_floor(ranking)
    if floor is not None:
        table.add_section()
        table.add_row("", "real faces (floor)", formatting.number(floor))
    print_table(table)
    for entry in missing:
        show(f"{entry.path.name}: {describe_state(entry, ranking)}")


def main() -> None:
    """Run the console script, where folders need no `paths=`."""
    paths, rest = split_paths(sys.argv[1:])
    if paths:
        rest.append(f"paths=[{','.join(quote_value(path) for path in paths)}]")
    sys.argv[1:] = rest
    compare()


def split_paths(argv: list[str]) -> tuple[list[str], list[str]]:
    """Split off paths, which exist or have no `=`, from Hydra's overrides and options.

    >>> split_paths(["outputs/a", "choice=last", "--cfg", "job"])
    (['outputs/a'], ['choice=last', '--cfg', 'job'])
    """
    options, others = split_options(argv)
    paths = [argument for argument in others if "=" not in argument or Path(argument).exists()]
    rest = [argument for argument in others if argument not in paths]
    return paths, [*rest, *options]


if __name__ == "__main__":
    main()
