"""`evaluations.json`: what `evaluate` measured; several processes may add to it at once."""

from pathlib import Path
from typing import Any

from anime_dcgan.system.files import read_list, wait_for_lock, write_json

RESULTS, LOCK = "evaluations.json", ".evaluations.lock"

Row = dict[str, Any]
"""`key`, `images`, `epoch`, `weights`, `metric` and `values` of one generator."""


def find_row(run: Path, key: str) -> Row | None:
    """Return the row with this key, or None if there is none or the file is damaged."""
    rows = (row for row in read_list(run / RESULTS, "rows") if isinstance(row, dict))
    return next((row for row in rows if row.get("key") == key), None)


def add_row(run: Path, row: Row) -> None:
    """Add a row to those that the file has by now, unless one has its key. Raises OSError."""
    with wait_for_lock(run / LOCK):
        if find_row(run, row["key"]) is None:
            write_json(run / RESULTS, {"rows": [*read_list(run / RESULTS, "rows"), row]})
