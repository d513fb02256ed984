"""Render and write HTML pages: template, style, and the only script that may run."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import anime_dcgan
from anime_dcgan.page import formatting
from anime_dcgan.system.errors import explain_os_error
from anime_dcgan.system.files import write_text

TEMPLATE = Path(__file__).parent / "template"
THEME = TEMPLATE / "theme.css"  # the studio serves it too


def render(name: str, scripts: Sequence[str], **parts: object) -> str:
    """Return the page `name`.html with these scripts, the theme and the page's own style.

    The scripts are concatenated in this order. All `parts` are escaped, unless they are `Markup`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    script = "\n".join(['"use strict";', *(_read(f"{each}.js") for each in scripts)])
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": formatting.number, "epoch": formatting.epoch}
    return environment.get_template(f"{name}.html").render(
        style=Markup("\n".join(_read(f"{each}.css") for each in ("theme", "base", name))),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        version=anime_dcgan.__version__,
        now=datetime.now().astimezone(),
        **parts,
    )


def write_page(out: Path, page: str) -> None:
    """Write a page to `out`, replacing any file there. Raises `UserError` if it cannot be."""
    with explain_os_error(f"out={out} cannot be written", "use another out=..."):
        write_text(out, page)


def _read(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")
