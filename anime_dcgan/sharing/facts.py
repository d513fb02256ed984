"""Facts about a generator for its readers: the run, the data by name and count, the quality."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anime_dcgan.run.checkpoint import faces_of
from anime_dcgan.run.exported import is_exported, read_description
from anime_dcgan.run.record import VERDICTS, read_equilibrium, read_quality
from anime_dcgan.run.runs import Weights
from anime_dcgan.run.settings import distinguishing, format_setting
from anime_dcgan.system.reader import MAX_INTEGER, is_number


def _is_count(value: Any) -> bool:
    """Return True for a number of pictures, or None if it is unknown."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value is None or (is_integer and 0 <= value <= MAX_INTEGER)


VALID: dict[str, Callable[[Any], bool]] = {
    "run": lambda fact: isinstance(fact, str),
    "data": lambda fact: isinstance(fact.get("name"), str | None) and _is_count(fact.get("count")),
    "quality": lambda fact: (
        isinstance(fact["headline"], str)
        and is_number(fact["value"])
        and (fact["floor"] is None or is_number(fact["floor"]))
    ),
    "verdict": lambda fact: (
        fact["verdict"] in VERDICTS and all(isinstance(text, str) for text in fact["reasons"])
    ),
    "recipe": lambda fact: all(isinstance(value, str) for value in fact.values()),
}
"""Validators of the facts in the description of an exported generator, maybe a stranger's."""
NAMES = tuple(VALID)
PRIVATE = ("data.", "init.", "trainer.", "max_minutes")
"""Prefixes of settings that name files of this machine, or depend on it."""
PUBLIC = ("data.image_size", "data.batch_size")
REDUNDANT = ("gan", "ramps")
"""Groups whose class is the only one, or says nothing."""
REPEATED = re.compile(r"(?<=\.)(generator|discriminator)\.(?=\w+$)")
"""Part of the names of a player's settings that repeat those of both players."""
DRAWN = "the faces that anime_dcgan draws"


def facts_of(
    run: Path | None,
    contents: dict[str, Any],
    weights: Weights,
    name: str | None = None,
    data_name: str | None = None,
) -> dict[str, Any]:
    """Return the facts about a checkpoint of a run, by `NAMES`.

    Parameters:
        run: folder of the run; None if it is unknown, as are its name and quality then.
        contents: what `run.checkpoint.read` returned.
        name: name of the run.
        data_name: name of the data; None finds one in the settings.
    """
    if run is not None and is_exported(run):
        description = read_description(run)
        facts = {key: _if_valid(description.get(key), VALID[key]) for key in NAMES}
        if data_name is not None:
            facts["data"] = {**_data(contents, data_name), **(facts["data"] or {})}
            facts["data"]["name"] = data_name
        return facts
    return {
        "run": name,
        "data": _data(contents, data_name),
        "quality": run and _quality(run, contents["images_seen"], weights),
        "verdict": run and _verdict(run),
        "recipe": _recipe(contents["config"]),
    }


def _if_valid(fact: Any, is_valid: Callable[[Any], bool]) -> Any:
    """Return a fact, or None if it has another form than this package writes."""
    try:
        return fact if is_valid(fact) else None
    except (AttributeError, KeyError, TypeError):
        return None


def _data(contents: dict[str, Any], name: str | None) -> dict[str, Any]:
    data = contents["config"].get("data")
    source = data.get("source") if isinstance(data, dict) else None
    count = faces_of(contents).get("training", {}).get("count")
    return {
        "name": name or _name_of_source(source if isinstance(source, dict) else {}),
        "count": count if _is_count(count) else None,
    }


def _name_of_source(source: dict[str, Any]) -> str | None:
    """Return the name of a data set on the hub, or the last part of a path."""
    if source.get("repo"):
        return str(source["repo"])
    if str(source.get("_target_", "")).endswith(".DrawnFaces"):
        return DRAWN
    paths = [source[key] for key in ("path", "root", "manifest") if source.get(key)]
    if not paths:
        return None
    path = Path(str(paths[0]))
    return path.parent.name or path.name if path.suffix == ".csv" else path.name


def _quality(run: Path, images: float, weights: Weights) -> dict[str, Any] | None:
    """Return what was measured on this very checkpoint."""
    quality = read_quality(run, [])
    if quality is None:
        return None
    for row in quality.measurements:
        if row.images == images and row.weights == weights and quality.headline in row.values:
            return {
                "headline": quality.headline,
                "value": row.values[quality.headline],
                "floor": quality.floor.get(quality.headline),
                "values": row.values,
                "floors": quality.floor,
            }
    return None


def _verdict(run: Path) -> dict[str, Any] | None:
    found = read_equilibrium(run, [])
    return found and {"verdict": found.verdict, "reasons": found.reasons}


def _recipe(config: dict[str, Any]) -> dict[str, str]:
    """Return the settings of the training: classes by module and name, others as they are typed."""
    recipe: dict[str, str] = {}
    for key, value in distinguishing(config).items():
        if value is None or (key.startswith(PRIVATE) and key not in PUBLIC):
            continue
        group, _, name = key.rpartition(".")
        if name != "_target_":
            recipe[key] = format_setting(value)
        elif group not in REDUNDANT:
            recipe[group] = ".".join(str(value).split(".")[-2:])
    return {
        key: value
        for key, value in recipe.items()
        if recipe.get(REPEATED.sub("", key)) != value or not REPEATED.search(key)
    }
