"""`python -m anime_dcgan.compare outputs/...`: which run is the best, and how sure that is.

It needs the files of the runs only: torch is never loaded.
"""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.command import command
from anime_dcgan.cli.overrides import quoted, split_options
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError

if TYPE_CHECKING:
    from anime_dcgan.run.entries import Entry
    from anime_dcgan.run.ranking import Ranking


@command("compare")
def compare(config: DictConfig) -> None:
    _check(config)
    paths = _paths(config)
    from anime_dcgan.page.comparison import write_comparison
    from anime_dcgan.run.entries import choose_criterion, find_runs, read_entry
    from anime_dcgan.run.ranking import rank

    notes: list[str] = []
    found = [read_entry(run, notes) for run in find_runs(paths)]
    entries = [entry for entry in found if entry is not None]
    for note in notes:
        log(f"note: {note}")
    told = len(notes)
    criterion = choose_criterion(entries, config.distance)
    if criterion is None:
        raise UserError(_nothing_measured(entries, paths, config.distance))
    kimg = config.kimg
    ranking = rank(entries, criterion, None if kimg is None else 1000.0 * kimg, config.by)
    if not ranking.recipes:
        raise UserError(f"no run was measured at kimg={kimg}: name a smaller one, or kimg=null")
    missing = _missing(entries, ranking)
    _print_table(ranking, missing)
    out = _out(config, paths)
    write_comparison(ranking, out, notes, missing)
    for note in notes[told:]:
        log(f"note: {note}")
    log(f"the comparison is {out}: open it in a browser")


def _check(config: DictConfig) -> None:
    from anime_dcgan.page.render import check_page

    if config.by not in ("best", "last"):
        raise UserError(f"by={config.by} is unknown: use by=best or by=last")
    kimg = config.kimg
    if kimg is not None and (isinstance(kimg, bool | str) or not 0 < kimg < math.inf):
        raise UserError(f"kimg={kimg} is no number above 0: use kimg=100, or null for all")
    check_page(config.out)


def _paths(config: DictConfig) -> list[Path]:
    said = config.paths if config.paths is not None else [config.outputs]
    paths = [Path(str(path)) for path in (said if isinstance(said, ListConfig | list) else [said])]
    for path in paths:
        if not path.is_dir():
            raise UserError(
                f"{path} is no folder: name folders of runs, for example {config.outputs}"
            )
    return paths


def _out(config: DictConfig, paths: list[Path]) -> Path:
    """In the folder that is compared; in `outputs` where there are several."""
    if config.out is not None:
        return Path(str(config.out))
    return (paths[0] if len(paths) == 1 else Path(config.outputs)) / "compare.html"


def _nothing_measured(entries: "list[Entry]", paths: list[Path], distance: str | None) -> str:
    where = ", ".join(map(str, paths))
    if not entries:
        return f"no run lies at or below {where}: name folders of runs"
    known = sorted(
        {
            name
            for entry in entries
            for seen in entry.measured.values()
            for one in seen
            for name in one.values
            if "/" in name
        }
    )
    if distance is not None and known:
        return f"no run has distance={distance}; there are: {', '.join(known)}"
    return (
        f"none of the {len(entries)} runs below {where} was measured: train with metric=swd, or "
        "measure them by python -m anime_dcgan.evaluate run=..."
    )


def _missing(entries: "list[Entry]", ranking: "Ranking") -> "list[Entry]":
    """Those that are not ranked, and those that are and failed later."""
    ranked = [entry for recipe in ranking.recipes for entry in recipe.entries]
    return [entry for entry in entries if entry.failure or entry not in ranked]


def _print_table(ranking: "Ranking", missing: "list[Entry]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from anime_dcgan.page import formatting
    from anime_dcgan.page.comparison import describe_state, mean_floor, table_rows

    title = (
        f"{ranking.criterion.distance} within {formatting.images(ranking.images)}: lower is nearer"
    )
    table = Table(title=title)
    for name in ("rank", "recipe"):
        table.add_column(name, overflow="fold")
    for name in ("distance", "±", "seeds", "kimg", "hours", "precision", "recall"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for line in table_rows(ranking):
        values = (line.distance, line.error, line.seeds, line.kimg)
        rest = (line.hours, line.precision, line.recall, line.verdict)
        style = "bold green" if line.is_as_good else None
        table.add_row(line.rank, escape(line.label), *values, *rest, style=style)
    floor = mean_floor(ranking)
    if floor is not None:
        table.add_section()
        table.add_row("", "real faces (floor)", formatting.number(floor))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for entry in missing:
        console.print(f"{entry.path.name}: {describe_state(entry, ranking)}", markup=False)


def main() -> None:
    """The console script. Folders need no `paths=`: what exists, or is no override, is one."""
    paths, rest = split(sys.argv[1:])
    if paths:
        rest.append(f"paths=[{','.join(quoted(path) for path in paths)}]")
    sys.argv[1:] = rest
    compare()


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Folders, and what Hydra understands: overrides, options and their values.

    >>> split(["outputs/a", "by=last", "--cfg", "job"])
    (['outputs/a'], ['by=last', '--cfg', 'job'])
    """
    options, others = split_options(words)
    paths = [word for word in others if "=" not in word or Path(word).exists()]
    rest = [word for word in others if word not in paths]
    return paths, [*rest, *options]


if __name__ == "__main__":
    main()
