"""The choices of a blind comparison, and how surely they prefer one of the two runs."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from anime_dcgan.system import reader
from anime_dcgan.system.errors import RefusedFileError, UserError

CHOICES, KEY = "choices.json", "key.json"
NORMAL_QUANTILE = 1.959964  # 97.5 %

Choice = Literal["left", "right", "same", "open"]
"""The preferred side of a pair; no difference; or not decided yet."""


@dataclass(frozen=True)
class Key:
    """The key of a comparison: which run each side of each pair is of."""

    digest: str
    """Digest of the page, by which choices are recognised."""
    runs: tuple[str, ...]
    """Checkpoints of the two runs."""
    swapped: tuple[bool, ...]
    """For each pair, True if the second run is on the left."""

    def to_json(self) -> dict[str, Any]:
        """Return the content of `key.json`."""
        return {"page": self.digest, "runs": list(self.runs), "swapped": list(self.swapped)}


@dataclass(frozen=True)
class Choices:
    """The content of `choices.json`, which the page saves."""

    digest: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Preference:
    """How often each run was preferred."""

    runs: tuple[str, ...]
    wins: tuple[int, int]
    pairs: int

    @property
    def decided(self) -> int:
        """Number of pairs in which one face was preferred."""
        return sum(self.wins)

    @property
    def probability(self) -> float:
        """Probability of a preference at least as clear if none exists: the exact sign test."""
        fewer, total = min(self.wins), self.decided
        tail = sum(math.comb(total, wins) for wins in range(fewer + 1))
        return min(1.0, 2 * tail / 2**total)

    def interval(self, wins: int) -> tuple[float, float]:
        """Return the 95 % interval of a fraction of the decided pairs: Wilson 1927, eq. (1)."""
        total, squared = self.decided, NORMAL_QUANTILE**2
        if total == 0:
            return 0.0, 1.0
        centre = (wins + squared / 2) / (total + squared)
        spread = wins * (total - wins) / total + squared / 4
        half = NORMAL_QUANTILE * math.sqrt(spread) / (total + squared)
        return max(0.0, centre - half), min(1.0, centre + half)


def read_key(path: Path) -> Key:
    """Read `key.json`. Raises `UserError` if it is missing or damaged."""
    content = _read(path, "key")
    try:
        runs, swapped = content["runs"], content["swapped"]
        if not all(isinstance(each, bool) for each in swapped) or len(runs) != 2:
            raise ValueError
        return Key(str(content["page"]), tuple(map(str, runs)), tuple(swapped))
    except (KeyError, TypeError, ValueError):
        raise UserError(f"key={path} is not the key of a comparison: use its {KEY}") from None


def read_choices(path: Path) -> Choices:
    """Read `choices.json`. Raises `UserError` if it is missing or damaged."""
    content = _read(path, "choices")
    try:
        choices = tuple(content["choices"])
        if not set(choices) <= set(get_args(Choice)):
            raise ValueError
        return Choices(str(content["page"]), choices)
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"choices={path} has no choices: use the {CHOICES} that a page saved"
        ) from None


def _read(path: Path, setting: str) -> Any:
    try:
        return reader.read_json(path)
    except FileNotFoundError:
        raise UserError(f"{setting}={path} does not exist: use the path of a file") from None
    except (RefusedFileError, ValueError) as error:
        reason = error.reason if isinstance(error, RefusedFileError) else "it is not JSON"
        raise UserError(f"{setting}={path} cannot be read: {reason}") from None


def count(key: Key, choices: Choices) -> Preference:
    """Count how often each run was preferred. Raises `UserError` if the key is of another page."""
    if key.digest != choices.digest or len(key.swapped) != len(choices.choices):
        raise UserError("the choices were made on another page: use key=... of that page")
    wins = Counter(
        (choice == "right") != swap
        for choice, swap in zip(choices.choices, key.swapped, strict=True)
        if choice in ("left", "right")
    )
    return Preference(key.runs, (wins[False], wins[True]), len(choices.choices))
