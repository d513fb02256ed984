"""Tables show all figures whole at any width."""

import re

import pytest
from rich.table import Table

from anime_dcgan.system import table as module
from anime_dcgan.system.table import print_table

NAMES = ("swd/16", "swd/32", "swd/64", "swd/mean", "precision", "recall", "diversity", "memorised")


def make_table() -> Table:
    table = Table(title="outputs/first: the lowest swd/mean is highlighted")
    for name in ("rank", "recipe", *NAMES):
        table.add_column(name, justify="right" if name in NAMES else "left")
    for number in (1, 2):
        values = (f"{number}{index},126.75" for index in range(len(NAMES)))
        table.add_row(f"{number} (as good)", "loss=hinge," * 9, *values)
    table.add_section()
    table.add_row("", "real faces", *("3.125" for _ in NAMES))
    return table


def test_texts_are_shown_as_they_are_without_control_characters(capsys):
    table = Table(title="[red]\x1b[31m")
    table.add_column("[/]\x07")
    table.add_row(":smile: [b]\r")
    print_table(table)
    out = capsys.readouterr().out
    assert all(text in out for text in ("[red]\\x1b[31m", "[/]\\x07", ":smile: [b]\\x0d"))


@pytest.mark.parametrize(("width", "count"), [(60, 4), (80, 3), (120, 2), (160, 1)])
def test_columns_that_do_not_fit_follow_in_further_tables(capsys, monkeypatch, width, count):
    monkeypatch.setattr(module, "WIDTH", width)
    print_table(make_table())
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert out.count("first") == 1
    assert out.count("2 (as good)") == count
    figures = set(re.findall(r"[\d,]+\.\d\d", out))
    assert figures >= {f"{number}{i},126.75" for number in (1, 2) for i in range(len(NAMES))}
    assert all(name in out for name in NAMES) and "…" not in out
