"""`python -m anime_dcgan.evaluate`: measure the faces of any epochs of a run.

Torch is imported after the settings are checked; Lightning is not imported at all.
"""

import contextlib
import csv
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.checks import (
    RUN,
    boolean,
    epoch_name,
    extension,
    file_path,
    integer,
    node,
    one_of,
    optional,
    several,
)
from anime_dcgan.cli.command import command, instantiate
from anime_dcgan.run.evaluations import RESULTS, Row, add_row, find_row
from anime_dcgan.run.runs import WEIGHTS, by_epoch, find_checkpoint, find_run
from anime_dcgan.system.console import log, table_console
from anime_dcgan.system.errors import NotFoundError, UserError, explain_os_error
from anime_dcgan.system.files import write_atomically, write_json, write_or_warn, write_text

if TYPE_CHECKING:
    from anime_dcgan.metric.evaluation import Evaluation

MIN_TRAINING = 2  # a nearest neighbour's distance is relative to that of another training face
EPOCHS_LIST = re.compile(r"epochs=[^\[]*,.*")


@command(
    "evaluate",
    run=RUN,
    outputs=file_path("outputs"),
    epochs=several(epoch_name(), "all"),
    metric=optional(node()),
    manifest=optional(file_path("prepared/manifest.csv")),
    weights=one_of(*WEIGHTS),
    count=integer(1, example=2000),
    reference=one_of("train", "holdout"),
    training=integer(MIN_TRAINING, example=10_000),
    out=optional(extension(".csv", ".json", example="table.csv")),
    neighbours=boolean(),
    **{"data.fetch": boolean()},
    device=one_of("auto", "cpu", "cuda"),
)
def evaluate(config: DictConfig) -> None:
    """Print, and write to `out`, the metrics of the epochs."""
    if config.metric is None:
        raise UserError("metric=none measures nothing: use metric=swd, fd or fid")
    run = find_run(str(config.run), Path(config.outputs))
    paths = _checkpoints(run, config.epochs)
    evaluation = _open(paths, config)
    rows = _measure(evaluation, paths, run, config.neighbours)
    _print_table(rows, evaluation.floor, evaluation.headline, run)
    if config.out is not None:
        _write(rows, evaluation.floor, Path(config.out))


def _checkpoints(run: Path, epochs: Any) -> list[Path]:
    """Return the checkpoints of `epochs=all`, or of one or several epochs, in the order given."""
    if epochs == "all":
        paths = by_epoch(run / "checkpoints", ".ckpt")
        return paths or [find_checkpoint(run, "last")]
    requested = epochs if isinstance(epochs, ListConfig) else [epochs]
    return [find_checkpoint(run, str(epoch)) for epoch in requested]


def _open(paths: list[Path], config: DictConfig) -> "Evaluation":
    """Return an evaluation with the settings of any checkpoint that still exists."""
    from anime_dcgan.metric.evaluation import Evaluation

    metric = instantiate(config.metric)
    for path in reversed(paths):
        with contextlib.suppress(NotFoundError):
            return Evaluation(path, metric, config)
    raise _none_left(paths)


def _measure(evaluation: "Evaluation", paths: list[Path], run: Path, neighbours: bool) -> list[Row]:
    """Return a row for each checkpoint that still exists, from the run's file if it has it.

    With `neighbours`, write the picture of the last one's faces too.
    """
    from rich.progress import track

    from anime_dcgan.run import checkpoint

    rows, contents = [], None
    for path in track(paths, description="measuring", console=_console(), transient=True):
        with contextlib.suppress(NotFoundError):
            contents = checkpoint.read(path)
            rows.append(_measure_one(evaluation, contents, path, run))
    if len(rows) < len(paths):
        log(f"left out {len(paths) - len(rows)} of {len(paths)} epochs, deleted meanwhile")
    if contents is None:
        raise _none_left(paths)
    if neighbours:
        sheet = evaluation.evaluator.neighbour_sheet(evaluation.faces(contents, paths[-1]))
        out = run / "neighbours.png"
        write_or_warn(lambda: write_atomically(out, sheet.save), out)
    return rows


def _measure_one(evaluation: "Evaluation", contents: dict[str, Any], path: Path, run: Path) -> Row:
    key = evaluation.key(contents)
    row = find_row(run, key)
    if row is None:
        row = {"key": key, **evaluation.measure(contents, path)}
        write = partial(add_row, run, row)
        write_or_warn(write, run / RESULTS, "these results will be measured again")
    return row


def _none_left(paths: list[Path]) -> UserError:
    return UserError(
        f"{paths[-1]} was deleted meanwhile by the training, which continues: use epochs=last"
    )


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _print_table(rows: list[Row], floor: dict[str, float], headline: str, run: Path) -> None:
    from rich.table import Table

    best = min(rows, key=lambda row: row["values"][headline])
    table = Table(title=f"{run}: the lowest {headline} is highlighted")
    table.add_column("epoch", justify="right")
    table.add_column("images", justify="right")
    for name in floor:
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        cells = [_format_number(row["values"][name]) for name in floor]
        style = "bold green" if row is best else None
        table.add_row(f"{row['epoch']:g}", f"{row['images']:,}", *cells, style=style)
    table.add_section()
    table.add_row("real", "", *(_format_number(value) for value in floor.values()))
    table_console().print(table)


def _format_number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _write(rows: list[Row], floor: dict[str, float], out: Path) -> None:
    with explain_os_error(f"out={out} cannot be written", "use another out=..."):
        if out.suffix.lower() == ".json":
            write_json(out, {"floor": floor, "rows": rows})
        else:
            write_text(out, _as_csv(rows, floor))
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
    """Run the console script, where several epochs need no brackets: `epochs=10,20,best`."""
    sys.argv[1:] = [
        f"epochs=[{each.removeprefix('epochs=')}]" if EPOCHS_LIST.fullmatch(each) else each
        for each in sys.argv[1:]
    ]
    evaluate()


if __name__ == "__main__":
    main()
