"""Validation of everything that enters the store: ids, texts, shares and pictures."""

import io
import struct
from collections.abc import Iterable
from typing import Any, get_args

from PIL import Image

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store.records import Method
from anime_dcgan.system.errors import NotFoundError, UserError

MAX_STORY_LENGTH = 20_000
MAX_NAME_LENGTH = 200
MAX_PARENTS = 8
MAX_PAGE_SIZE = 1000
MAX_THUMB_BYTES = 2**20
MAX_THUMB_SIZE = 512  # px, both width and height
PNG = b"\x89PNG\r\n\x1a\n"


def validate_id(id: int, kind: str) -> int:
    """Return `id`; raise `NotFoundError` if it is outside the range of SQLite's ids."""
    if not 0 < id < 2**63:
        raise NotFoundError(f"there is no {kind} {id!s:.20}")
    return id


def validate_story(story: str) -> str:
    if len(story) > MAX_STORY_LENGTH:
        raise UserError(
            f"a story can have at most {MAX_STORY_LENGTH} characters; this one has {len(story)}"
        )
    return _validate_text(story, "story")


def normalise_name(name: str) -> str:
    """Return the name on one line with single spaces; raise `UserError` if it is invalid."""
    name = " ".join(_validate_text(name, "name").split())
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise UserError(
            f"a name must have 1 to {MAX_NAME_LENGTH} characters; this one has {len(name)}"
        )
    return name


def validate_face_name(name: str) -> str:
    """Return the name of a face on one line; it may be empty."""
    return normalise_name(name) if name.strip() else ""


def _validate_text(text: str, kind: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"this {kind} contains an unpaired surrogate") from None
    if "\0" in text:
        raise UserError(f"this {kind} contains a null character")
    return text


def validate_method(how: Any) -> Method | None:
    if how is not None and how not in get_args(Method):
        raise UserError(f"how={how!s:.20} is unknown: use {', '.join(get_args(Method))}")
    return how


def validate_share(share: Any) -> float:
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if not is_number or not 0 <= share <= 1:  # NaN fails too
        raise UserError(f"share={share!s:.20} must be a number from 0 to 1")
    return float(share)


def merge_parents(parents: Iterable[tuple[Face, float]]) -> dict[Face, float]:
    """Return the share of each distinct parent; shares of duplicates are added, up to 1."""
    shares: dict[Face, float] = {}
    for face, share in parents:
        face = canonical(face)
        shares[face] = min(1.0, shares.get(face, 0.0) + validate_share(share))
    if len(shares) > MAX_PARENTS:
        raise UserError(
            f"a face can have at most {MAX_PARENTS} parents; this one has {len(shares)}"
        )
    return shares


def canonical(face: Face) -> Face:
    """Return the face as its link encodes it, with numbers rounded to 12 digits."""
    return Face.from_query(face.to_query())


def reencode_thumb(png: bytes) -> bytes:
    """Return the same picture as a new PNG without metadata or trailing bytes."""
    if len(png) > MAX_THUMB_BYTES:
        raise UserError(f"the picture of a face can have at most {MAX_THUMB_BYTES >> 20} MiB")
    if png[:8] != PNG or png[12:16] != b"IHDR" or len(png) < 24:
        raise UserError("the picture of a face must be a PNG")
    if max(struct.unpack(">II", png[16:24])) > MAX_THUMB_SIZE:  # checked before decoding
        raise UserError(
            f"the picture of a face can be at most {MAX_THUMB_SIZE} pixels wide and high"
        )
    encoded = io.BytesIO()
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            picture.convert("RGB").save(encoded, "PNG")
    except Exception:  # a decoder may raise anything on a hostile file
        raise UserError("the picture of a face is damaged") from None
    return encoded.getvalue()
