"""The texts of a site: title, description, and facts about its run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anime_dcgan.model.base import Generator
from anime_dcgan.page import formatting


@dataclass(frozen=True)
class Texts:
    """The title, the description, and the card of the run.

    Attributes:
        data: what the generator was trained on.
        card: names and values.
        link: address of this program; None for none.
    """

    title: str
    description: str
    data: str
    card: list[tuple[str, str]]
    link: str | None = None


def describe_run(
    facts: Mapping[str, Any], contents: Mapping[str, Any], generator: Generator
) -> Texts:
    """Return the texts of a generator, with a title and a description for any run.

    Parameters:
        facts: what `facts.facts_of` returned.
        contents: what `run.checkpoint.read` returned.
    """
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    card = [
        ("Network", f"{type(generator).__module__.rpartition('.')[2]}, {parameters:,} weights"),
        ("Training", formatting.images(contents["images_seen"])),
        ("Epoch", formatting.epoch(contents["epochs_done"])),
    ]
    return Texts(
        title="These faces do not exist",
        description="Endless faces that nobody has, drawn by a neural network in your browser.",
        data=_data(facts.get("data")),
        card=[*card, *_quality(facts.get("quality")), *_verdict(facts.get("verdict"))],
    )


def _data(data: Any) -> str:
    count = _number(_get(data, "count"))
    return "pictures of faces" if count is None else f"{count:,.0f} pictures of faces"


def _quality(quality: Any) -> list[tuple[str, str]]:
    """Return the distance of this generator, if it was measured."""
    value, floor = (_number(_get(quality, key)) for key in ("value", "floor"))
    if value is None:
        return []
    compared = formatting.number(value)
    if floor is not None:
        compared += f" (real pictures compared with real ones: {formatting.number(floor)})"
    return [(f"Distance {_get(quality, 'headline')}", compared)]


def _verdict(verdict: Any) -> list[tuple[str, str]]:
    name = _get(verdict, "verdict")
    texts = [texts for known, texts in formatting.VERDICT_TEXTS.items() if known == name]
    return [("Verdict", headline) for headline, _ in texts]


def _number(value: Any) -> float | None:
    """Return a finite number; None for anything else that a stranger may have written."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < math.inf else None


def _get(node: Any, key: str) -> Any:
    """Return a value of an object; None if there is none."""
    return node.get(key) if isinstance(node, dict) else None
