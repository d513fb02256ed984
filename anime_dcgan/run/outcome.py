"""The outcome of a run, in its folder: `finished.json`, `failure.json` and `quality.json`."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from anime_dcgan.system.files import write_json, write_or_warn
from anime_dcgan.system.reader import read_object

FINISHED, FAILURE = "finished.json", "failure.json"


def write_finished(
    run_dir: Path, config: DictConfig, images: int, epochs: float, hours: float
) -> None:
    """Record that the training finished, and delete the record of an earlier failure.

    Raises OSError.
    """
    content = {
        "images": images,
        "epochs": epochs,
        "minutes": round(60 * hours, 2),
        **_budgets(config),
    }
    write_json(run_dir / FINISHED, content)
    (run_dir / FAILURE).unlink(missing_ok=True)


def _budgets(config: DictConfig) -> dict[str, Any]:
    return {
        "max_kimg": config.max_kimg,
        "max_minutes": config.max_minutes,
        "max_epochs": config.trainer.max_epochs,
    }


def write_missing(run_dir: Path, missing: Sequence[str]) -> None:
    """Record which files of a finished run are missing or have gaps, each with the reason."""
    path = run_dir / FINISHED
    if content := read_object(path):
        content["missing"] = list(missing)
        write_or_warn(lambda: write_json(path, content), path)


def read_missing(run_dir: Path) -> list[str]:
    """Return the files of a finished run that are missing or have gaps, each with the reason."""
    missing = read_object(run_dir / FINISHED).get("missing")
    return [str(each) for each in missing] if isinstance(missing, list) else []


def is_finished(run_dir: Path, config: DictConfig) -> bool:
    """Return True if the run finished with this budget or a larger one."""
    done = read_object(run_dir / FINISHED)
    budgets = _budgets(config)
    kimg, minutes, epochs = budgets.values()
    try:
        return (
            all(done[name] == value for name, value in budgets.items())
            or (kimg is not None and done["images"] >= 1000 * kimg)
            or (minutes is not None and done["minutes"] >= minutes)
            or (epochs is not None and 0 <= epochs <= done["epochs"])
        )
    except (KeyError, TypeError):  # missing or damaged
        return False


def write_failure(run_dir: Path, message: str, traceback: str | None = None) -> None:
    """Record why the training failed; `traceback` for anything but a `UserError`."""
    content: dict[str, Any] = {"message": message, "when": time.strftime("%Y-%m-%d %H:%M:%S")}
    if traceback is not None:
        content["traceback"] = traceback
    path = run_dir / FAILURE
    write_or_warn(lambda: write_json(path, content), path)


def read_failure(run_dir: Path) -> str | None:
    """Return why the training failed; None if it did not."""
    message = read_object(run_dir / FAILURE).get("message")
    return message if isinstance(message, str) else None


def best_distance(run_dir: Path) -> float:
    """Return the lowest headline distance that the run measured; infinity if there is none.

    A sweeper minimises it, and accepts numbers only.
    """
    quality = read_object(run_dir / "quality.json")
    try:
        name = quality["metric"]["headline"]
        distances = [float(row["values"][name]) for row in quality["rows"]]
    except (KeyError, TypeError, ValueError):
        return math.inf
    return min((distance for distance in distances if not math.isnan(distance)), default=math.inf)
