"""Write the page of a blind comparison."""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from anime_dcgan.page.render import render, write_page
from anime_dcgan.page.sheets import Picture


def write_blind_page(pairs: Iterable[tuple[Image.Image, Image.Image]], out: Path) -> str:
    """Write the page of these pairs to `out`, and return a digest of the pictures on it.

    The page does not say which run a picture is of. Raises `UserError` if it cannot be written.
    """
    from markupsafe import Markup

    pictures = [[_picture(face) for face in pair] for pair in pairs]
    digest = hashlib.sha256(b"".join(face.png for pair in pictures for face in pair)).hexdigest()
    data = {"page": digest[:16], "pairs": [[face.uri for face in pair] for pair in pictures]}
    text = json.dumps(data).replace("<", "\\u003c")  # which could end the script element
    write_page(out, render("blind", ("blind",), count=len(pictures), data=Markup(text)))
    return digest[:16]


def _picture(face: Image.Image) -> Picture:
    """Encode a face without metadata, which could tell the runs apart."""
    file = io.BytesIO()
    face.convert("RGB").save(file, "png")
    return Picture(file.getvalue(), *face.size)
