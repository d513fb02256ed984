"""Tables on standard output that cut no figure, however narrow the terminal is."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from anime_dcgan.system.console import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column, Table

WIDTH = 160
"""Columns of a table that is not printed to a terminal."""
BORDER, PADDING = 1, 2


def print_table(table: "Table") -> None:
    """Print a table; columns that the terminal is too narrow for follow in further tables.

    All of them begin with the first column. A column wider than half of the terminal is folded.
    Texts are shown as they are: they have no markup.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDTH
    console = Console(width=width, markup=False, emoji=False)
    for part in _parts(table, console):
        console.print(part)


def _parts(table: "Table", console: "Console") -> Iterator["Table"]:
    """Yield tables that fit the console, the first of them with the title."""
    first, *widths = _widths(table, console)
    title = table.title
    for group in _groups(widths, console.width - BORDER - first):
        yield _select(table, {0: first} | {index + 1: widths[index] for index in group}, title)
        title = None


def _widths(table: "Table", console: "Console") -> list[int]:
    """Return the widths of the columns; one of text is folded if all of them fit then."""
    widths = [min(_width(column, console), console.width // 2) for column in table.columns]
    excess = BORDER + sum(widths) - console.width
    texts = [index for index, column in enumerate(table.columns) if column.justify == "left"]
    widest = max(texts, key=widths.__getitem__, default=0)
    if 0 < excess <= widths[widest] - console.width // 4:
        widths[widest] -= excess
    return widths


def _width(column: "Column", console: "Console") -> int:
    """Return the width of a column with its border."""
    from rich.measure import Measurement

    cells = [_text(cell) for cell in (column.header, *column.cells)]
    longest = max(Measurement.get(console, console.options, cell).maximum for cell in cells)
    return longest + BORDER + PADDING


def _groups(widths: list[int], available: int) -> Iterator[list[int]]:
    """Yield the indices of columns that fit next to each other, at least one each time."""
    group: list[int] = []
    for index, width in enumerate(widths):
        if group and sum(widths[each] for each in group) + width > available:
            yield group
            group = []
        group.append(index)
    yield group


def _select(table: "Table", widths: dict[int, int], title: object) -> "Table":
    """Return a table of some columns, with their widths."""
    from rich.table import Table

    part = Table(title=_text(title) if title else None)
    columns = [table.columns[index] for index in widths]
    for column, width in zip(columns, widths.values(), strict=True):
        inner = width - BORDER - PADDING
        part.add_column(
            _text(column.header), justify=column.justify, max_width=inner, overflow="fold"
        )
    lines = zip(*(column.cells for column in columns), strict=True)
    for row, cells in zip(table.rows, lines, strict=True):
        part.add_row(*map(_text, cells), style=row.style, end_section=row.end_section)
    return part


def _text(cell: object) -> str:
    return printable(str(cell))
