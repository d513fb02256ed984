"""The texts of a site: title, description, and facts about its run."""

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
        data=_data(facts["data"]),
        card=[*card, *_quality(facts["quality"]), *_verdict(facts["verdict"])],
    )


def _data(data: Mapping[str, Any] | None) -> str:
    count = (data or {}).get("count")
    return "pictures of faces" if count is None else f"{count:,} pictures of faces"


def _quality(quality: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the distance of this generator, if it was measured."""
    if quality is None:
        return []
    compared = formatting.number(quality["value"])
    if (floor := quality.get("floor")) is not None:
        compared += f" (real pictures compared with real ones: {formatting.number(floor)})"
    return [(f"Distance {quality['headline']}", compared)]


def _verdict(verdict: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if verdict is None:
        return []
    headline, _ = formatting.VERDICT_TEXTS[verdict["verdict"]]
    return [("Verdict", headline)]
