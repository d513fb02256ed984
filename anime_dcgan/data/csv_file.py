"""Separators of the columns of CSV files, as people and spreadsheets write them.

Commas separate the columns, or else semicolons or tabs, as spreadsheets write them in countries
where a comma is the decimal sign. Some write a line such as `sep=;` above the names of the columns.
"""

import io
import re

SEPARATORS = ",;\t"
SEPARATOR_LINE = re.compile(r'"?sep=(?P<sign>[,;\t|])"?[,;\t|]*\s*', re.IGNORECASE)
MAX_HEADER = 100_000  # characters


def find_separator(text: io.TextIOBase) -> str:
    """Return the sign that separates the columns of a file, and move to the names of the columns.

    >>> find_separator(io.StringIO("name;class\\n")), find_separator(io.StringIO("sep=|\\n"))
    (';', '|')
    """
    first = text.readline(MAX_HEADER)
    named = SEPARATOR_LINE.fullmatch(first)
    if named is not None:
        return named["sign"]
    text.seek(0)
    unquoted = re.sub(r'"[^"]*"', "", first)
    return next((sign for sign in SEPARATORS if sign in unquoted), ",")
