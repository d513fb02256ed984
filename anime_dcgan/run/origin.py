"""The checkpoint whose weights a run began with: `init.json` in its folder, and its checkpoints."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anime_dcgan.system.files import write_json

ORIGIN = "init.json"
MAX_COUNT = 2**53
"""Integers up to this one are exact as floats."""
MAX_TEXT = 4096
DIGITS = 12  # of a digest that people read


@dataclass(frozen=True)
class Origin:
    """The checkpoint that a run began from.

    Attributes:
        run: name of the run below `outputs`, or the path that was given.
        epoch: epochs that it had been trained for.
        images: real images that it had been trained on.
        sha256: digest of the checkpoint file.
        taken: weights of each network that were taken, and their number in this run.
        generator_images: real images that the generator had been trained on, in that run and those
            before it; 0 if some of this run's weights are new.
    """

    run: str
    epoch: float
    images: int
    sha256: str
    taken: dict[str, list[int]]
    generator_images: int = 0

    @property
    def short_digest(self) -> str:
        """The first digits of the digest, for people."""
        return self.sha256[:DIGITS]

    def as_plain(self) -> dict[str, Any]:
        """Return plain values, from which `parse_origin` makes an equal object."""
        return asdict(self)


def parse_origin(raw: Any) -> Origin:
    """Return the origin in plain values. Raises ValueError if they are damaged."""
    try:
        return Origin(
            run=_text(raw["run"]),
            epoch=_number(raw["epoch"]),
            images=_count(raw["images"]),
            sha256=_text(raw["sha256"]),
            taken={_text(name): _pair(counts) for name, counts in raw["taken"].items()},
            generator_images=_count(raw["generator_images"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError("it does not describe the run that this one began from") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= value < MAX_COUNT:
        raise ValueError
    return value


def _count(value: Any) -> int:
    if _number(value) != int(value):
        raise ValueError
    return int(value)


def _pair(counts: Any) -> list[int]:
    taken, own = map(_count, counts)
    return [taken, own]


def write_origin(run_dir: Path, origin: Origin | None) -> None:
    """Record the origin of a run, or that it has none. Raises OSError."""
    if origin is None:
        (run_dir / ORIGIN).unlink(missing_ok=True)
    else:
        write_json(run_dir / ORIGIN, origin.as_plain())
