"""`python -m anime_dcgan.evaluate`: how good the faces of any epochs of a run are.

Torch is imported when the measuring begins; Lightning is not imported at all.
"""

import csv
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.command import check_switch, command, instantiate
from anime_dcgan.run.runs import WEIGHTS, by_epoch, find_checkpoint, find_run
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import read_list, write_json, write_or_warn, write_text

if TYPE_CHECKING:
    from anime_dcgan.metric.evaluation import Evaluation

RESULTS = "evaluations.json"  # in the folder of the run
DEVICES = ("auto", "cpu", "cuda")
LIST_OF_EPOCHS = re.compile(r"epochs=[^\[]*,.*")

Row = dict[str, Any]


@command("evaluate")
def evaluate(config: DictConfig) -> None:
    _check(config)
    run = find_run(str(config.run), Path(config.outputs))
    paths = _checkpoints(run, config.epochs)
    from anime_dcgan.metric.evaluation import Evaluation

    evaluation = Evaluation(paths[0], instantiate(config.metric), config)
    rows = _measure(evaluation, paths, run / RESULTS)
    if config.neighbours:
        _write_neighbours(evaluation, paths[-1], run / "neighbours.png")
    _print_table(rows, evaluation.floor, evaluation.headline, run)
    if config.out is not None:
        _write(rows, evaluation.floor, Path(config.out))


def _check(config: DictConfig) -> None:
    for name, usual in (("count", 2000), ("training", 10_000)):
        value = config[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(f"{name}={value} is no number of faces: use {name}={usual}")
    check_switch(config, "neighbours")
    if config.device not in DEVICES:
        raise UserError(f"device={config.device} is unknown: use one of {', '.join(DEVICES)}")
    if isinstance(config.epochs, ListConfig) and not config.epochs:
        raise UserError("epochs=[] are none: use epochs=all, or epochs=5,10")
    if config.metric is None:
        raise UserError("metric=none measures nothing: use metric=swd, fd or fid")
    if config.weights not in WEIGHTS:
        raise UserError(f"weights={config.weights} is unknown: use weights=ema or weights=raw")
    if config.out is not None and Path(str(config.out)).suffix not in (".csv", ".json"):
        raise UserError(f"out={config.out}: use an ending of .csv or .json")


def _checkpoints(run: Path, epochs: Any) -> list[Path]:
    """The checkpoints of `epochs=all`, or of one or several epochs, in the order given."""
    if epochs == "all":
        paths = by_epoch(run / "checkpoints", ".ckpt")
        return paths or [find_checkpoint(run, "last")]
    chosen = epochs if isinstance(epochs, ListConfig) else [epochs]
    return [find_checkpoint(run, str(epoch)) for epoch in chosen]


def _measure(evaluation: "Evaluation", paths: list[Path], results: Path) -> list[Row]:
    """A row for each checkpoint; those that were measured before are read, not measured again."""
    from rich.progress import track

    rows = []
    for path in track(paths, description="measuring", console=_console(), transient=True):
        known = read_list(results, "rows")
        key = evaluation.key(path)
        row = next((row for row in known if row["key"] == key), None)
        if row is None:
            row = {"key": key, **evaluation.measure(path)}
            content = {"rows": [*known, row]}
            write = partial(write_json, results, content)
            write_or_warn(write, results, "these results are not remembered")
        rows.append(row)
    return rows


def _write_neighbours(evaluation: "Evaluation", path: Path, out: Path) -> None:
    """For the user's eyes: the faces that come closest to training faces, beside those."""
    sheet = evaluation.evaluator.neighbour_sheet(evaluation.faces(path))
    write_or_warn(lambda: sheet.save(out), out)


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _print_table(rows: list[Row], floor: dict[str, float], headline: str, run: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    best = min(rows, key=lambda row: row["values"][headline])
    table = Table(title=f"{run}: the lowest {headline} is marked")
    table.add_column("epoch", justify="right")
    table.add_column("images", justify="right")
    for name in floor:
        table.add_column(name, justify="right")
    for row in rows:
        cells = [_said(row["values"][name]) for name in floor]
        mark = "bold green" if row is best else None
        table.add_row(f"{row['epoch']:g}", f"{row['images']:,}", *cells, style=mark)
    table.add_section()
    table.add_row("real", "", *(_said(value) for value in floor.values()))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _said(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _write(rows: list[Row], floor: dict[str, float], out: Path) -> None:
    try:
        if out.suffix == ".json":
            write_json(out, {"floor": floor, "rows": rows})
        else:
            write_text(out, _as_csv(rows, floor))
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error}; name another out=...") from None
    log(f"{len(rows)} rows in {out}")


def _as_csv(rows: list[Row], floor: dict[str, float]) -> str:
    import io

    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(["epoch", "images", "weights", *floor])
    for row in rows:
        values = (row["values"][name] for name in floor)
        table.writerow([f"{row['epoch']:g}", row["images"], row["weights"], *values])
    table.writerow(["real", "", "", *floor.values()])
    return file.getvalue()


def main() -> None:
    """The console script. Several epochs need no brackets: `epochs=10,20,best`."""
    sys.argv[1:] = [
        f"epochs=[{word.removeprefix('epochs=')}]" if LIST_OF_EPOCHS.fullmatch(word) else word
        for word in sys.argv[1:]
    ]
    evaluate()


if __name__ == "__main__":
    main()
