"""Faces as plain values: the few settings from which the same picture can be rendered again.

Faces are stored in links, files and databases, and come back from untrusted sources, so every
field is validated on construction.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode

from anime_dcgan.run.runs import WEIGHTS, Weights
from anime_dcgan.sampling.layers import format_layers, parse_layers
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.errors import NotFoundError, UserError

MAX_NAME_BYTES = 255  # of a file or folder, on common file systems
MAX_LATENT_DIM = 9216  # styles of 512 values for the 18 layers of StyleGAN2 at 1024 px
MAX_MOVES = 64
MAX_MIX = 32  # ranges of style layers
MAX_STEP = 10.0  # along a direction, in standard deviations of the latent
MAX_LABEL_LENGTH = 500  # characters of the name of a class
MAX_LATENT_VALUE = 100.0  # per component; standard normal values stay below 6
EPOCH = re.compile(r"best|last|\d{1,7}(\.\d{1,6})?")
ALIASES = ("best", "last")
DIGEST = re.compile(r"[0-9a-f]{20}")
UNKNOWN_DIGEST = "0" * 20
"""Digest of no generator: that of an imported face which names none, and can no longer be drawn."""
DIRECTION = re.compile(r"(sefa|pca)\.\d{1,4}")
LATENT_PREFIX = "latent."  # in links, where a latent may look like a seed
INVALID_RUN = "a run must be a folder path relative to the folder of all runs, such as sweep/a"
GENERATOR_KEYS = ("run", "epoch", "weights", "digest")
KEYS = (*GENERATOR_KEYS, "seed", "latent", "truncation", "moves", "mix", "label")


class GeneratorId(NamedTuple):
    """The run, epoch and weights of a generator, and the digest of its weights if it is known."""

    run: str
    epoch: str
    weights: Weights = "ema"
    digest: str | None = None


@dataclass(frozen=True)
class Face:
    """A face of one generator.

    Raises `UserError` for any other value.

    Parameters:
        run: run folder relative to the folder of all runs, with "/" as the separator.
        epoch: epoch number as text, or "best" or "last", which may change while a run trains.
        weights: "ema" for the averaged generator, "raw" for the trained weights.
        digest: hash of the generator's weights (see `run.digest`). With it the face is that of this
            very generator, whatever its run and epoch are called; without it, of the generator that
            the run and epoch name at the moment.
        seed: seed of the latent, 0 to 2^32 - 1; exactly one of `seed` and `latent` is given.
        latent: the latent itself, little-endian float32 as base64url without padding; for a
            generator with a mapping network its style, or the styles of all layers.
        truncation: factor in [0, 1] by which the styles approach their mean, see
            `Generator.truncate`.
        moves: steps along directions, each in [-10, 10], keyed by the id of the direction
            (`sefa.0`), with a range of style layers if only those move (`sefa.0/4-9`).
        mix: other parents, whose styles replace those of these layers: seeds or latents, keyed by
            ranges of layers (`0-3`) that do not overlap.
        label: class of a generator with labels. Without it a seed has the label that
            `Generator.labels_of_seeds` gives it, and a latent contains the embedding of its own.
    """

    run: str
    epoch: str
    weights: Weights = "ema"
    digest: str | None = None
    seed: int | None = None
    latent: str | None = None
    truncation: float = 1.0
    moves: Mapping[str, float] = field(default_factory=dict)
    mix: Mapping[str, int | str] = field(default_factory=dict)
    label: str | None = None

    def __post_init__(self) -> None:
        check_run(self.run)
        check_epoch(self.epoch)
        check_weights(self.weights)
        if self.digest is not None:
            check_digest(self.digest)
        if (self.seed is None) == (self.latent is None):
            raise UserError("a face needs either a seed or a latent, not both")
        if self.seed is not None:
            _check_seed(self.seed)
        if self.latent is not None:
            decode_latent(self.latent)
        _check_number(self.truncation, "truncation", 0.0, 1.0)
        _check_moves(self.moves)
        _check_label(self.label)
        nonzero = {name: float(step) for name, step in self.moves.items() if step}
        object.__setattr__(self, "moves", dict(sorted(nonzero.items())))
        object.__setattr__(self, "mix", _check_mix(self.mix))

    def __hash__(self) -> int:
        return hash(self.to_query())

    @property
    def is_seed_only(self) -> bool:
        """True if the face depends on its generator, seed and label alone."""
        is_edited = self.moves or self.mix or self.truncation != 1
        return self.seed is not None and not is_edited

    @property
    def generator(self) -> GeneratorId:
        """The names and the digest of its generator."""
        return GeneratorId(self.run, self.epoch, self.weights, self.digest)

    @property
    def key(self) -> str:
        """Text that is equal for equal faces, whatever the run and epoch of their generator are.

        Without a digest, only run and epoch tell generators apart.
        """
        named = () if self.digest is None else ("run", "epoch", "weights")
        params = {name: value for name, value in self._params().items() if name not in named}
        return urlencode(params, safe="/:,=")

    def with_latent(self, latent: str) -> "Face":
        """Return the face of this exact latent from the same generator."""
        return Face(*self.generator, latent=latent)

    def to_json(self) -> dict[str, Any]:
        """Return plain values with all keys present."""
        copies = {"moves": dict(self.moves), "mix": dict(self.mix)}
        return {key: getattr(self, key) for key in KEYS} | copies

    @classmethod
    def from_json(cls, content: Any) -> "Face":
        """Build a face from the output of `to_json`; keys with a default may be absent."""
        if not isinstance(content, Mapping) or not set(content) <= set(KEYS):
            raise UserError(f"a face must be an object with the keys {', '.join(KEYS)}")
        try:
            return cls(**cast(Mapping[str, Any], content))
        except TypeError:
            raise UserError("a face needs a run, an epoch, and a seed or a latent") from None

    def to_query(self) -> str:
        """Return the query string used in links; equal faces give equal strings."""
        return urlencode(self._params(), safe="/:,=")

    def _params(self) -> dict[str, str | int]:
        params: dict[str, str | int] = {
            "run": self.run,
            "epoch": self.epoch,
            "weights": self.weights,
        }
        if self.digest is not None:
            params["digest"] = self.digest
        if self.seed is not None:
            params["seed"] = self.seed
        if self.latent is not None:
            params["latent"] = self.latent
        if (truncation := f"{self.truncation:.12g}") != "1":
            params["truncation"] = truncation
        if self.moves:
            params["moves"] = ",".join(f"{name}:{step:.12g}" for name, step in self.moves.items())
        if self.mix:
            params["mix"] = ",".join(f"{key}:{_mix_text(one)}" for key, one in self.mix.items())
        if self.label is not None:
            params["label"] = self.label
        return params

    @classmethod
    def from_query(cls, query: str) -> "Face":
        """Build a face from the output of `to_query`."""
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=16)
        except ValueError:
            raise UserError("this is not a link to a face") from None
        params: dict[str, Any] = dict(pairs)
        if len(params) != len(pairs):
            raise UserError("this link to a face repeats a parameter")
        if "seed" in params:
            params["seed"] = _parse_int(params["seed"], "seed")
        if "truncation" in params:
            params["truncation"] = _parse_float(params["truncation"], "truncation")
        if "moves" in params:
            params["moves"] = parse_moves(params["moves"])
        if "mix" in params:
            params["mix"] = parse_mix(params["mix"])
        return cls.from_json(params)


def encode_latent(values: Sequence[float]) -> str:
    """Return a latent as lossless text."""
    return base64.urlsafe_b64encode(struct.pack(f"<{len(values)}f", *values)).decode().rstrip("=")


def decode_latent(text: str) -> list[float]:
    """Return the latent encoded in a text; raise `UserError` if it is malformed or not finite."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = list(struct.unpack(f"<{len(data) // 4}f", data))
    except (binascii.Error, struct.error, ValueError, TypeError):
        raise UserError("the latent of this face is damaged") from None
    if not 1 <= len(values) <= MAX_LATENT_DIM:
        raise UserError(
            f"the latent of this face has {len(values)} values, not 1 to {MAX_LATENT_DIM}"
        )
    if not all(abs(value) <= MAX_LATENT_VALUE for value in values):
        raise UserError(f"the latent of this face has values beyond +-{MAX_LATENT_VALUE:g}")
    return values


def parse_moves(text: str) -> dict[str, float]:
    """Parse `sefa.0:1.5,pca.3:-2` into a mapping; empty text gives an empty mapping."""
    moves: dict[str, float] = {}
    for part in text.split(",") if text else []:
        name, colon, step = part.partition(":")
        if not colon or name in moves:
            raise UserError(f"moves={text!s:.40} does not have the form sefa.0:1.5,pca.3:-2")
        moves[name] = _parse_float(step, "moves")
    return moves


def parse_mix(text: str) -> dict[str, int | str]:
    """Parse `0-3:17,4-9:latent.AAAA` into a mapping; empty text gives an empty mapping."""
    mix: dict[str, int | str] = {}
    for part in text.split(",") if text else []:
        layers, colon, parent = part.partition(":")
        if not colon or layers in mix:
            raise UserError(f"mix={text!s:.40} does not have the form 0-3:17,4-9:5")
        is_latent = parent.startswith(LATENT_PREFIX)
        latent = parent.removeprefix(LATENT_PREFIX)
        mix[layers] = latent if is_latent else _parse_int(parent, f"mix={layers}")
    return mix


def split_move(name: str) -> tuple[str, range | None]:
    """Return the direction of a key of `moves` and its layers; None for all layers."""
    direction, slash, layers = name.partition("/")
    return direction, _layers("moves", layers) if slash else None


def _mix_text(parent: int | str) -> str:
    return str(parent) if isinstance(parent, int) else LATENT_PREFIX + parent


def _parse_float(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{name}={text!s:.20} is not a number") from None


def _parse_int(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise UserError(f"{name}={text!s:.20} must be an integer")
    return int(text)


def check_run(run: Any) -> None:
    """Raise `UserError` unless `run` is a normalised relative path without `..`.

    A name that no folder can have is a `NotFoundError`.
    """
    parts = PurePosixPath(run).parts if isinstance(run, str) else ()
    printable = isinstance(run, str) and run.isprintable() and "\\" not in run
    if not parts or not printable or len(run) > 500 or PurePosixPath(run).is_absolute():
        raise UserError(INVALID_RUN)
    if ".." in parts or "/".join(parts) != run:
        raise UserError(INVALID_RUN)
    if any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise NotFoundError(f"there is no run {run:.40}…: no folder has so long a name")


def check_epoch(epoch: Any) -> None:
    if not isinstance(epoch, str) or not EPOCH.fullmatch(epoch):
        raise UserError(f"epoch={epoch!r:.20} must be a number, best or last")


def is_epoch_number(epoch: str) -> bool:
    """Return True if an epoch is a number rather than "best" or "last"."""
    return epoch not in ALIASES and EPOCH.fullmatch(epoch) is not None


def check_weights(weights: Any) -> None:
    if weights not in WEIGHTS:
        raise UserError(f"weights={weights!r:.20} is unknown: use ema or raw")


def check_digest(digest: Any) -> None:
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise UserError(f"digest={digest!r:.20} must have 20 hexadecimal digits")


def is_label(label: Any) -> bool:
    """Return True if a link can contain `label` as the name of a class."""
    is_text = isinstance(label, str) and 1 <= len(label) <= MAX_LABEL_LENGTH and "\0" not in label
    return is_text and not any("\ud800" <= character <= "\udfff" for character in label)


def _check_label(label: Any) -> None:
    if label is not None and not is_label(label):
        raise UserError(
            f"label={label!r:.20} is not the name of a class: use 1 to {MAX_LABEL_LENGTH} "
            "characters, or no label"
        )


def check_direction(direction: Any) -> None:
    if not isinstance(direction, str) or not DIRECTION.fullmatch(direction):
        raise UserError(f"{direction!r:.20} is not a direction: use an id such as sefa.0 or pca.3")


def _check_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise UserError(f"seed={seed!s:.20} must be an integer from 0 to {MAX_SEED}")


def _check_number(value: Any, name: str, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        raise UserError(f"{name}={value!s:.20} must be a number from {low:g} to {high:g}")


def _check_moves(moves: Any) -> None:
    if not isinstance(moves, Mapping) or len(moves) > MAX_MOVES:
        raise UserError(f"moves must map at most {MAX_MOVES} direction ids to steps")
    for name, step in moves.items():
        check_direction(split_move(name)[0] if isinstance(name, str) else name)
        _check_number(step, f"moves.{name}", -MAX_STEP, MAX_STEP)


def _check_mix(mix: Any) -> dict[str, int | str]:
    """Return the parents ordered by layer; raise `UserError` if they are invalid or overlap."""
    if not isinstance(mix, Mapping) or len(mix) > MAX_MIX:
        raise UserError(f"mix must map at most {MAX_MIX} ranges of layers to seeds or latents")
    ordered = sorted(mix, key=lambda text: _layers("mix", text).start)
    for before, after in pairwise(ordered):
        if _layers("mix", after).start < _layers("mix", before).stop:
            raise UserError(f"mix={before} and mix={after} overlap: each layer has one parent")
    for parent in mix.values():
        check = decode_latent if isinstance(parent, str) else _check_seed
        check(parent)
    return {layers: mix[layers] for layers in ordered}


def _layers(key: str, text: Any) -> range:
    """Return a range of layers, which must name both ends so that equal faces have equal links."""
    layers = parse_layers(key, text)
    if format_layers(layers) != text:
        raise UserError(f"{key}={text!r:.20} must name both ends: use {format_layers(layers)}")
    return layers
