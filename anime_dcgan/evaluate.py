"""`python -m anime_dcgan.evaluate`: measure the faces of any epochs of a run.

Torch is imported after the settings are checked; Lightning is not imported at all.
"""

import contextlib
import csv
from collections.abc import Sequence
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
from anime_dcgan.run.evaluations import LABEL, RESULTS, Row, add_row, find_row
from anime_dcgan.run.runs import WEIGHTS, by_epoch, find_checkpoint, find_run, records_folder
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import NotFoundError, UserError, explain_os_error
from anime_dcgan.system.files import write_atomically, write_json, write_or_warn, write_text
from anime_dcgan.system.table import print_table

if TYPE_CHECKING:
    from anime_dcgan.metric.by_label import LabelEvaluation
    from anime_dcgan.metric.evaluation import Evaluation

DESCRIPTION = ("epoch", "images", "weights", "truncation")
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
    by_label=boolean(),
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
    records = records_folder(run, Path(config.outputs))
    if config.by_label:
        rows = _measure_labels(evaluation, paths, truncations, records)
        _print_labels(rows, evaluation.headline, run)
        if config.out is not None:
            _write(rows, None, Path(config.out))
        return
    rows, contents = _measure(evaluation, paths, [(each,) for each in truncations], records)
    if config.neighbours:
        _write_neighbours(evaluation, contents, paths[-1], truncations[-1], records)
    _print_table(rows, evaluation.floor, evaluation.headline, run)
    if config.out is not None:
        _write(rows, evaluation.floor, Path(config.out))


def _checkpoints(run: Path, epochs: Any) -> list[Path]:
    """Return the checkpoints of `epochs=all`, or of one or several epochs, in the order given."""
    if epochs == "all":
        paths = by_epoch(run / "checkpoints", ".ckpt")
        return paths or [find_checkpoint(run, "last")]
    return [find_checkpoint(run, str(epoch), "epochs") for epoch in _as_list(epochs)]


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
    evaluation: "Evaluation | LabelEvaluation",
    paths: list[Path],
    settings: Sequence[tuple[Any, ...]],
    run: Path,
) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of each checkpoint that still exists, and the contents of the last one.

    A row that the run's file has is not measured again.

    Parameters:
        settings: arguments of `key` and `measure`; each gives a row of each checkpoint.
    """
    from rich.progress import track

    from anime_dcgan.run import checkpoint

    rows, contents, gone = [], None, 0
    steps = [(path, each) for path in paths for each in settings]
    opened = None
    for path, each in track(steps, description="measuring", console=_console(), transient=True):
        if each is settings[0]:
            opened = None
            with contextlib.suppress(NotFoundError):
                contents = opened = checkpoint.read(path)
            gone += opened is None
        if opened is not None:
            rows.append(_measure_one(evaluation, opened, path, each, run))
    if gone:
        log(f"left out {gone} of {len(paths)} epochs, deleted meanwhile")
    if contents is None:
        raise _none_left(paths)
    return rows, contents


def _measure_one(
    evaluation: "Evaluation | LabelEvaluation",
    contents: dict[str, Any],
    path: Path,
    settings: tuple[Any, ...],
    run: Path,
) -> Row:
    key = evaluation.key(contents, *settings)
    row = find_row(run, key)
    if row is None:
        row = {"key": key, **evaluation.measure(contents, path, *settings)}
        write = partial(add_row, run, row)
        write_or_warn(write, run / RESULTS, "these results will be measured again")
    return row


def _measure_labels(
    evaluation: "Evaluation", paths: list[Path], truncations: list[float], run: Path
) -> list[Row]:
    from anime_dcgan.metric.by_label import LabelEvaluation

    labelled = LabelEvaluation(evaluation)
    labelled.prepare()
    settings = [(each, name) for each in truncations for name in labelled.names]
    return _measure(labelled, paths, settings, run)[0]


def _write_neighbours(
    evaluation: "Evaluation", contents: dict[str, Any], path: Path, truncation: float, run: Path
) -> None:
    sheet = evaluation.evaluator.neighbour_sheet(evaluation.faces(contents, path, truncation))
    out = run / "neighbours.png"
    write_or_warn(lambda: write_atomically(out, sheet.save), out)


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
        if name == headline:
            table.add_column("above floor", justify="right")
    for row in rows:
        cells = [f"{row['epoch']:g}", f"{row['images']:,}"]
        cells += [f"{_truncation(row):g}"] if shows_truncation else []
        for name, least in floor.items():
            value = row["values"][name]
            cells.append(_format_number(value))
            if name == headline:
                cells.append(_format_number(value - least))
        table.add_row(*cells, style="bold green" if row is best else None)
    table.add_section()
    empty = [""] * (2 if shows_truncation else 1)
    cells = []
    for name, value in floor.items():
        cells += [_format_number(value), ""] if name == headline else [_format_number(value)]
    table.add_row("real", *empty, *cells)
    print_table(table)


def _print_labels(rows: list[Row], headline: str, run: Path) -> None:
    """Print a row for each class: generated faces, and next to them other real faces."""
    from rich.table import Table

    names = (headline, "recall", "accuracy")
    shows_epoch = len({row["images"] for row in rows}) > 1
    shows_truncation = any(_truncation(row) != 1 for row in rows)
    table = Table(title=f"{run}: faces of each class, and real faces of it")
    table.add_column("class")
    for shown, name in ((shows_epoch, "epoch"), (shows_truncation, "truncation"), (True, "faces")):
        if shown:
            table.add_column(name, justify="right")
    for name in names:
        table.add_column(name, justify="right")
        table.add_column("real", justify="right")
    for row in rows:
        cells = [f"{row['epoch']:g}"] if shows_epoch else []
        cells += [f"{_truncation(row):g}"] if shows_truncation else []
        values = (row[part].get(name) for name in names for part in ("values", "floor"))
        cells += [
            f"{row['count']:,}",
            *("-" if each is None else _format_number(each) for each in values),
        ]
        table.add_row(str(row[LABEL]), *cells)
    print_table(table)
    skipped = dict.fromkeys(row[LABEL] for row in rows if headline not in row["values"])
    if skipped:
        from anime_dcgan.data.labels import list_names
        from anime_dcgan.metric.by_label import MIN_FACES

        reason = f"no distances, for which {2 * MIN_FACES} different real faces are needed"
        log(f"{reason}: {list_names(list(skipped))}")
    mean = sum(row["values"]["accuracy"] for row in rows) / len(rows)
    log(f"{mean:.1%} of faces are recognised as their class, on average")


def _truncation(row: Row) -> float:
    return row["metric"].get("truncation", 1.0)


def _format_number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _write(rows: list[Row], floor: dict[str, float] | None, out: Path) -> None:
    """Write the rows; a `floor` that all of them share is a separate row."""
    with explain_os_error(f"out={out} cannot be written", "use another out=..."):
        if out.suffix.lower() == ".json":
            write_json(out, {"rows": rows} if floor is None else {"floor": floor, "rows": rows})
        else:
            write_text(out, _labels_as_csv(rows) if floor is None else _as_csv(rows, floor))
    log(f"{len(rows)} rows in {out}")


def _as_csv(rows: list[Row], floor: dict[str, float]) -> str:
    lines = [[*_describe(row), *(row["values"][name] for name in floor)] for row in rows]
    real = ["real", "", "", "", *floor.values()]
    return _format_csv([[*DESCRIPTION, *floor], *lines, real])


def _labels_as_csv(rows: list[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row["values"]))
    header = [LABEL, "faces", *DESCRIPTION, *names, *(f"real {name}" for name in names)]
    lines = [
        [
            row[LABEL],
            row["count"],
            *_describe(row),
            *(row[part].get(name, "") for part in ("values", "floor") for name in names),
        ]
        for row in rows
    ]
    return _format_csv([header, *lines])


def _describe(row: Row) -> list[Any]:
    """Return the cells below `DESCRIPTION`."""
    return [f"{row['epoch']:g}", row["images"], row["weights"], f"{_truncation(row):g}"]


def _format_csv(lines: list[list[Any]]) -> str:
    import io

    file = io.StringIO()
    csv.writer(file).writerows(lines)
    return file.getvalue()


main = evaluate

if __name__ == "__main__":
    main()
