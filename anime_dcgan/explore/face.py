"""What a face is: the few words from which the same picture can be drawn again.

Faces are plain values. They go into links, files and databases, and come back from strangers, so
that everything about them is checked when they are made.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from anime_dcgan.run.runs import WEIGHTS, Weights
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.errors import UserError

MAX_LATENT_DIM = 4096
MAX_MOVES = 64
FARTHEST_MOVE = 10.0  # standard deviations of the latent
LARGEST_LATENT = 100.0  # of any component; standard normal ones stay below 6
EPOCH = re.compile(r"best|last|\d{1,7}(\.\d{1,6})?")
DIRECTION = re.compile(r"(sefa|pca)\.\d{1,4}")
KEYS = ("run", "epoch", "weights", "seed", "latent", "truncation", "moves")


@dataclass(frozen=True)
class Face:
    """One face of one generator.

    Parameters:
        run: the folder of the run, relative to the folder of all runs, with "/".
        epoch: an epoch's number as text, or "best" or "last", which may change as a run goes on.
        weights: "ema" for the averaged generator, "raw" for the other.
        seed: of the latent, 0 to 2^32 - 1; or
        latent: the latent itself, little-endian float32 as base64url without padding.
        truncation: 0 to 1, by which the latent is multiplied.
        moves: steps along directions, by the direction's id (`sefa.0`), each within +-10.

    Raises `UserError` for anything else.
    """

    run: str
    epoch: str
    weights: Weights = "ema"
    seed: int | None = None
    latent: str | None = None
    truncation: float = 1.0
    moves: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_run(self.run)
        check_epoch(self.epoch)
        check_weights(self.weights)
        if (self.seed is None) == (self.latent is None):
            raise UserError("a face has either a seed or a latent")
        if self.seed is not None:
            _check_seed(self.seed)
        if self.latent is not None:
            decode_latent(self.latent)
        _check_number(self.truncation, "truncation", 0.0, 1.0)
        _check_moves(self.moves)
        still = {name: float(step) for name, step in self.moves.items() if step}
        object.__setattr__(self, "moves", dict(sorted(still.items())))

    def __hash__(self) -> int:
        return hash(self.to_query())

    @property
    def plain(self) -> bool:
        """Whether it is drawn from its seed alone."""
        return self.seed is not None and not self.moves and self.truncation == 1

    @property
    def generator(self) -> tuple[str, str, Weights]:
        """Run, epoch and weights: what draws it."""
        return self.run, self.epoch, self.weights

    def with_latent(self, latent: str) -> "Face":
        """A face of the same generator that is nothing but this latent."""
        return Face(*self.generator, latent=latent)

    def to_json(self) -> dict[str, Any]:
        """Plain values, all keys present."""
        return {key: getattr(self, key) for key in KEYS} | {"moves": dict(self.moves)}

    @classmethod
    def from_json(cls, content: Any) -> "Face":
        """Of what `to_json` gives; keys with a default may be absent."""
        if not isinstance(content, Mapping) or not set(content) <= set(KEYS):
            raise UserError(f"a face is an object of {', '.join(KEYS)}")
        try:
            return cls(**cast(Mapping[str, Any], content))
        except TypeError:
            raise UserError("a face needs run, epoch and a seed or a latent") from None

    def to_query(self) -> str:
        """The query string that stands for it in links; the same face gives the same string."""
        words: dict[str, str | int] = {
            "run": self.run,
            "epoch": self.epoch,
            "weights": self.weights,
        }
        if self.seed is not None:
            words["seed"] = self.seed
        if self.latent is not None:
            words["latent"] = self.latent
        if (truncation := f"{self.truncation:.12g}") != "1":
            words["truncation"] = truncation
        if self.moves:
            words["moves"] = ",".join(f"{name}:{step:.12g}" for name, step in self.moves.items())
        return urlencode(words, safe="/:,=")

    @classmethod
    def from_query(cls, query: str) -> "Face":
        """Of what `to_query` gives."""
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=16)
        except ValueError:
            raise UserError("this is no link to a face") from None
        words: dict[str, Any] = dict(pairs)
        if len(words) != len(pairs):
            raise UserError("this link to a face says something twice")
        if "seed" in words:
            words["seed"] = whole(words["seed"], "seed")
        if "truncation" in words:
            words["truncation"] = number(words["truncation"], "truncation")
        if "moves" in words:
            words["moves"] = moves_from_text(words["moves"])
        return cls.from_json(words)


def encode_latent(values: "list[float]") -> str:
    """A latent as text, exactly."""
    return base64.urlsafe_b64encode(struct.pack(f"<{len(values)}f", *values)).decode().rstrip("=")


def decode_latent(text: str) -> list[float]:
    """The latent of a text; `UserError` if it is none, or not finite."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = list(struct.unpack(f"<{len(data) // 4}f", data))
    except (binascii.Error, struct.error, ValueError, TypeError):
        raise UserError("the latent of this face is damaged") from None
    if not 1 <= len(values) <= MAX_LATENT_DIM:
        raise UserError(f"the latent of this face has {len(values)} numbers, which none has")
    if not all(abs(value) <= LARGEST_LATENT for value in values):
        raise UserError("the latent of this face is out of all bounds")
    return values


def moves_from_text(text: str) -> dict[str, float]:
    """`sefa.0:1.5,pca.3:-2` as a mapping; empty text is none."""
    moves: dict[str, float] = {}
    for part in text.split(",") if text else []:
        name, colon, step = part.partition(":")
        if not colon or name in moves:
            raise UserError(f"moves={text!s:.40} is not of the form sefa.0:1.5,pca.3:-2")
        moves[name] = number(step, "moves")
    return moves


def number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{name}={text!s:.20} is no number") from None


def whole(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise UserError(f"{name}={text!s:.20} is no whole number")
    return int(text)


def check_run(run: Any) -> None:
    """Raise `UserError` unless it is a relative path that leads nowhere but down."""
    parts = PurePosixPath(run).parts if isinstance(run, str) else ()
    printable = isinstance(run, str) and run.isprintable() and "\\" not in run
    if not parts or not printable or len(run) > 500 or PurePosixPath(run).is_absolute():
        raise UserError("a run is named by its folder below the folder of all runs")
    if ".." in parts or "/".join(parts) != run:
        raise UserError("a run is named by its folder below the folder of all runs")


def check_epoch(epoch: Any) -> None:
    if not isinstance(epoch, str) or not EPOCH.fullmatch(epoch):
        raise UserError(f"epoch={epoch!s:.20} is neither a number, best nor last")


def check_weights(weights: Any) -> None:
    if weights not in WEIGHTS:
        raise UserError(f"weights={weights!s:.20} is unknown: use ema or raw")


def check_direction(direction: Any) -> None:
    if not isinstance(direction, str) or not DIRECTION.fullmatch(direction):
        raise UserError(f"{direction!s:.20} is no direction such as sefa.0 or pca.3")


def _check_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise UserError(f"seed={seed!s:.20} is no whole number from 0 to {MAX_SEED}")


def _check_number(value: Any, name: str, low: float, high: float) -> None:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not low <= value <= high:
        raise UserError(f"{name}={value!s:.20} is no number from {low:g} to {high:g}")


def _check_moves(moves: Any) -> None:
    if not isinstance(moves, Mapping) or len(moves) > MAX_MOVES:
        raise UserError(f"moves are at most {MAX_MOVES} steps by the name of their direction")
    for name, step in moves.items():
        check_direction(name)
        _check_number(step, f"moves.{name}", -FARTHEST_MOVE, FARTHEST_MOVE)
