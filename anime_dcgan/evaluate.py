"""`python -m anime_dcgan.evaluate`: measure the faces of any epochs of a run.

Torch is imported after the settings are checked; Lightning is not imported at all.
"""

import contextlib
import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from anime_dcgan.cli.checks import (
    RUN,
    Several,
    boolean,
    epoch_name,
    extension,
    file_path,
    integer,
    interval,
    node,
    one_of,
    optional,
)
from anime_dcgan.cli.command import command, instantiate
from anime_dcgan.cli.groups import suggest
from anime_dcgan.run.evaluations import RESULTS, Row, add_row, find_row
from anime_dcgan.run.runs import WEIGHTS, by_epoch, find_checkpoint, find_run
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import NotFoundError, UserError, explain_os_error
from anime_dcgan.system.files import write_atomically, write_json, write_or_warn, write_text
from anime_dcgan.system.table import print_table

if TYPE_CHECKING:
    from anime_dcgan.metric.evaluation import Evaluation

MIN_TRAINING = 2  # a nearest neighbour's distance is relative to that of another training face


@command(
    "evaluate",
    run=RUN,
    outputs=file_path("outputs"),
    epochs=Several(epoch_name(), "all"),
    metric=optional(node()),
    manifest=optional(file_path("prepared/manifest.csv")),
    weights=one_of(*WEIGHTS),
    truncation=Several(interval(0.0, 1.0, example=0.7), "0.7"),
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
        raise UserError(f"metric=none measures nothing: use {suggest('metric')}")
    run = find_run(str(config.run), Path(config.outputs))
    paths = _checkpoints(run, config.epochs)
    evaluation = _open(paths, config)
    truncations = [float(each) for each in _as_list(config.truncation)]
    rows = _measure(evaluation, paths, truncations, run, config.neighbours)
    _print_table(rows, evaluation.floor, evaluation.headline, run)
    if config.out is not None:
        _write(rows, evaluation.floor, Path(config.out))


def _checkpoints(run: Path, epochs: Any) -> list[Path]:
    """Return the checkpoints of `epochs=all`, or of one or several epochs, in the order given."""
    if epochs == "all":
        paths = by_epoch(run / "checkpoints", ".ckpt")
        return paths or [find_checkpoint(run, "last")]
    return [find_checkpoint(run, str(epoch)) for epoch in _as_list(epochs)]


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, ListConfig) else [value]


def _open(paths: list[Path], config: DictConfig) -> "Evaluation":
    """Return an evaluation with the settings of any checkpoint that still exists."""
    from anime_dcgan.metric.evaluation import Evaluation

    metric = instantiate(config.metric)
    for path in reversed(paths):
        with contextlib.suppress(NotFoundError):
            return Evaluation(path, metric, config)
    raise _none_left(paths)


def _measure(
    evaluation: "Evaluation",
    paths: list[Path],
    truncations: list[float],
    run: Path,
    neighbours: bool,
) -> list[Row]:
    """Return the rows of each checkpoint that still exists, from the run's file if it has them.

    With `neighbours`, write the picture of the last faces too.
    """
    from rich.progress import track

    from anime_dcgan.run import checkpoint

    rows, contents = [], None
    for path in track(paths, description="measuring", console=_console(), transient=True):
        with contextlib.suppress(NotFoundError):
            contents = checkpoint.read(path)
            rows += [_measure_one(evaluation, contents, path, each, run) for each in truncations]
    gone = len(paths) - len(rows) // len(truncations)
    if gone:
        log(f"left out {gone} of {len(paths)} epochs, deleted meanwhile")
    if contents is None:
        raise _none_left(paths)
    if neighbours:
        faces = evaluation.faces(contents, paths[-1], truncations[-1])
        sheet = evaluation.evaluator.neighbour_sheet(faces)
        out = run / "neighbours.png"
        write_or_warn(lambda: write_atomically(out, sheet.save), out)
    return rows


def _measure_one(
    evaluation: "Evaluation", contents: dict[str, Any], path: Path, truncation: float, run: Path
) -> Row:
    key = evaluation.key(contents, truncation)
    row = find_row(run, key)
    if row is None:
        row = {"key": key, **evaluation.measure(contents, path, truncation)}
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
    shows_truncation = any(_truncation(row) != 1 for row in rows)
    table = Table(title=f"{run}: the lowest {headline} is highlighted")
    table.add_column("epoch", justify="right")
    table.add_column("images", justify="right")
    if shows_truncation:
        table.add_column("truncation", justify="right")
    for name in floor:
        table.add_column(name, justify="right")
    for row in rows:
        cells = [f"{row['epoch']:g}", f"{row['images']:,}"]
        cells += [f"{_truncation(row):g}"] if shows_truncation else []
        cells += [_format_number(row["values"][name]) for name in floor]
        table.add_row(*cells, style="bold green" if row is best else None)
    table.add_section()
    empty = [""] * (2 if shows_truncation else 1)
    table.add_row("real", *empty, *(_format_number(value) for value in floor.values()))
    print_table(table)


def _truncation(row: Row) -> float:
    return row["metric"].get("truncation", 1.0)


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
    table.writerow(["epoch", "images", "weights", "truncation", *floor])
    for row in rows:
        values = (row["values"][name] for name in floor)
        epoch, truncation = f"{row['epoch']:g}", f"{_truncation(row):g}"
        table.writerow([epoch, row["images"], row["weights"], truncation, *values])
    table.writerow(["real", "", "", "", *floor.values()])
    return file.getvalue()


main = evaluate

if __name__ == "__main__":
    main()
