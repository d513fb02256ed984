"""The commands and settings that README.md, CONTRIBUTING.md and docs/ mention."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import anime_dcgan

ROOT = Path(anime_dcgan.__file__).parent.parent
FENCE = re.compile(r"^```(\w*)$")
INLINE = re.compile(r"`((?:python |pip install )[^`]+)`")
INTERPRETER = r"^(?:\w+=\S+ )*(?:\.venv/bin/)?"


class Command(NamedTuple):
    """A command line, and the page and line on which it begins."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def argv(self) -> list[str]:
        """The command without its comment, variables, and the folder of the environment."""
        return shlex.split(re.sub(INTERPRETER, "", self.text), comments=True)


def pages() -> list[Path]:
    """Return the pages of a checkout; an installed package has none."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [path for path in found if path.is_file()]


def commands() -> list[Command]:
    """Return every command in shell blocks and text, at its first mention."""
    first: dict[tuple[str, ...], Command] = {}
    for path in pages():
        for command in _commands_of(path):
            first.setdefault(tuple(command.argv), command)
    return list(first.values())


def _commands_of(path: Path) -> Iterator[Command]:
    page = path.relative_to(ROOT).as_posix()
    fence, pending, start = None, "", 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := FENCE.match(line.strip()):
            fence = match[1] if fence is None else None
        elif fence == "sh":
            start = start if pending else number
            pending += line.removesuffix("\\")
            if not line.endswith("\\"):
                yield from (Command(page, start, part) for part in _parts(pending))
                pending = ""
        elif fence is None:
            yield from (Command(page, number, text) for text in INLINE.findall(line))


def _parts(line: str) -> list[str]:
    """Split a line at `&&`."""
    return [part.strip() for part in line.split(" && ") if part.strip()]


def named_settings() -> list[Command]:
    """Return each setting in the text and tables for users, such as `gan.accumulate=2`."""
    override = re.compile(r"`([a-z_]+(?:\.[a-z_0-9]+)+)(?:=[^`]*)?`")
    return [
        Command(path.relative_to(ROOT).as_posix(), number, text)
        for path in pages()
        if path.name != "CONTRIBUTING.md"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for text in override.findall(line)
    ]


def links() -> list[Command]:
    """Return the targets of links and pictures that lie in the checkout."""
    link = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
    return [
        Command(path.relative_to(ROOT).as_posix(), number, text)
        for path in pages()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for text in link.findall(line)
    ]
