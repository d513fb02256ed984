"""Faces and pictures for tests of the store."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image

from anime_dcgan.explore.face import Face

DIGEST = "0123456789abcdef0123"


def face(seed: int, run: str = "run", **more: Any) -> Face:
    return Face(run, "12", **{"digest": DIGEST, "seed": seed, **more})


def png(colour: int = 0, size: tuple[int, int] = (8, 8)) -> bytes:
    """Return a PNG of a single 24-bit colour."""
    return encoded(Image.new("RGB", size, f"#{colour:06x}"))


def encoded(picture: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query made without the store."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()
