"""Faces and pictures for tests of the store."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image

from anime_dcgan.explore.face import Face


def face(seed: int, run: str = "run", **more: Any) -> Face:
    return Face(run, "12", seed=seed, **more)


def png(colour: int = 0, size: tuple[int, int] = (8, 8)) -> bytes:
    """One of 16 million plain pictures."""
    return encoded(Image.new("RGB", size, f"#{colour:06x}"))


def encoded(picture: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What the file says to another program."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()
