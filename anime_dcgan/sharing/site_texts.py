"""What a site says about itself and its run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anime_dcgan.model.base import Generator
from anime_dcgan.page import formatting
from anime_dcgan.run.checkpoint import faces_of
from anime_dcgan.run.record import read_equilibrium, read_quality


@dataclass(frozen=True)
class Texts:
    """The title, the description, and the card of the run.

    Attributes:
        data: what the generator was trained on.
        facts: names and values of the card.
        link: address of this program; None for none.
    """

    title: str
    description: str
    data: str
    facts: list[tuple[str, str]]
    link: str | None = None


def describe_run(checkpoint: Path, contents: dict[str, Any], generator: Generator) -> Texts:
    """Return the texts of a checkpoint's generator, with a title and a description for any run."""
    count = _number(faces_of(contents).get("training", {}).get("count"))
    return Texts(
        title="These faces do not exist",
        description="Endless faces that nobody has, drawn by a neural network in your browser.",
        data="pictures of faces" if count is None else f"{count:,.0f} pictures of faces",
        facts=_facts(checkpoint.parent.parent, contents, generator),
    )


def _facts(run: Path, contents: dict[str, Any], generator: Generator) -> list[tuple[str, str]]:
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    facts = [
        ("Network", f"{type(generator).__module__.rpartition('.')[2]}, {parameters:,} weights"),
        ("Training", f"{formatting.images(contents['images_seen'])}"),
        ("Epoch", formatting.epoch(contents["epochs_done"])),
    ]
    return [*facts, *_quality(run, contents["images_seen"]), *_verdict(run)]


def _quality(run: Path, images: float) -> list[tuple[str, str]]:
    """Return the distance measured on this generator, or on the nearest one before it."""
    record = read_quality(run, [])
    if record is None:
        return []
    measured = [
        each
        for each in record.measurements
        if each.images <= images and record.headline in each.values
    ]
    if not measured:
        return []
    value = formatting.number(measured[-1].values[record.headline])
    if record.headline in record.floor:
        floor = formatting.number(record.floor[record.headline])
        value += f" (real pictures compared with real ones: {floor})"
    return [(f"Distance {record.headline}", value)]


def _verdict(run: Path) -> list[tuple[str, str]]:
    record = read_equilibrium(run, [])
    return [] if record is None else [("Verdict", formatting.verdict(record)[0])]


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
