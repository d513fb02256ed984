"""What may come in: ids, texts, shares and pictures, each within its limits."""

import io
import struct
from collections.abc import Iterable
from typing import Any, get_args

from PIL import Image

from anime_dcgan.explore.face import Face
from anime_dcgan.studio.store.records import How
from anime_dcgan.system.errors import NotFoundError, UserError

LONGEST_STORY = 20_000
LONGEST_NAME = 200
MOST_PARENTS = 8
MOST_LISTED = 1000
LARGEST_THUMB = 2**20  # bytes
WIDEST_THUMB = 512  # pixels, also the highest
PNG = b"\x89PNG\r\n\x1a\n"


def checked_id(id: int, what: str) -> int:
    """An id that the database can hold; otherwise nothing has it."""
    if not 0 < id < 2**63:
        raise NotFoundError(f"there is no {what} {id!s:.20}")
    return id


def checked_story(story: str) -> str:
    if len(story) > LONGEST_STORY:
        raise UserError(f"a story has at most {LONGEST_STORY} characters; this has {len(story)}")
    return _checked_text(story, "story")


def checked_name(name: str) -> str:
    """In one line, without blanks around it."""
    name = " ".join(_checked_text(name, "name").split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise UserError(f"a name has 1 to {LONGEST_NAME} characters; this has {len(name)}")
    return name


def _checked_text(text: str, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"this {what} has half of a character in it") from None
    if "\0" in text:
        raise UserError(f"this {what} has a zero character in it")
    return text


def checked_how(how: Any) -> How | None:
    if how is not None and how not in get_args(How):
        raise UserError(f"how={how!s:.20} is unknown: use {', '.join(get_args(How))}")
    return how


def checked_share(share: Any) -> float:
    number = isinstance(share, int | float) and not isinstance(share, bool)
    if not number or not 0 <= share <= 1:  # NaN neither
        raise UserError(f"share={share!s:.20} is no number from 0 to 1")
    return float(share)


def added_shares(parents: Iterable[tuple[Face, float]]) -> dict[Face, float]:
    """Each parent once; who was given twice has both shares."""
    shares: dict[Face, float] = {}
    for face, share in parents:
        face = canonical(face)
        shares[face] = min(1.0, shares.get(face, 0.0) + checked_share(share))
    if len(shares) > MOST_PARENTS:
        raise UserError(f"a face has at most {MOST_PARENTS} parents; this has {len(shares)}")
    return shares


def canonical(face: Face) -> Face:
    """The face that its link says, which rounds numbers to 12 digits: the one that is kept."""
    return Face.from_query(face.to_query())


def checked_thumb(png: bytes) -> bytes:
    """The same picture, written anew: whatever else was in the file is gone."""
    if len(png) > LARGEST_THUMB:
        raise UserError(f"the picture of a face has at most {LARGEST_THUMB >> 20} MiB")
    if png[:8] != PNG or png[12:16] != b"IHDR" or len(png) < 24:
        raise UserError("the picture of a face is no PNG")
    if max(struct.unpack(">II", png[16:24])) > WIDEST_THUMB:  # before anything is decoded
        raise UserError(f"the picture of a face is at most {WIDEST_THUMB} pixels wide and high")
    new = io.BytesIO()
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            picture.convert("RGB").save(new, "PNG")
    except Exception:  # of a hostile file, a decoder may raise anything
        raise UserError("the picture of a face is damaged") from None
    return new.getvalue()
