"""`evaluations.json`: what `evaluate` measured; several processes may add to it at once."""

from pathlib import Path
from typing import Any

from anime_dcgan.system.files import wait_for_lock, write_json
from anime_dcgan.system.reader import has_numbers, read_list

RESULTS, LOCK = "evaluations.json", ".evaluations.lock"
LABEL = "label"
"""Key of the class that a row is about; rows of all faces do not have it."""

Row = dict[str, Any]
"""`key`, `images`, `epoch`, `weights`, `metric`, `floor` and `values` of one generator."""


def find_row(run: Path, key: str) -> Row | None:
    """Return the row with this key, or None if there is none or the file is damaged."""
    rows = read_list(run / RESULTS, "rows", ("images", "epoch"))
    return next((row for row in rows if row.get("key") == key and _has_values(row)), None)


def _has_values(row: Row) -> bool:
    values = row.get("values")
    return isinstance(values, dict) and has_numbers(values, values)


def add_row(run: Path, row: Row) -> None:
    """Add a row to those that the file has by now, unless one has its key. Raises OSError."""
    run.mkdir(parents=True, exist_ok=True)
    with wait_for_lock(run / LOCK):
        if find_row(run, row["key"]) is None:
            write_json(run / RESULTS, {"rows": [*read_list(run / RESULTS, "rows"), row]})
