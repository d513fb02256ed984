"""The notebook of the tutorial: python -m benchmarks.notebook writes it from docs/tutorial.md.

Shell blocks become cells with `!` commands, and a picture whose title names a file becomes a cell
that shows this file. Text between `<!-- page -->` and `<!-- end -->` is left out, and what a
comment `<!-- notebook ... -->` contains is added.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
PAGE, NOTEBOOK = DOCS / "tutorial.md", DOCS / "tutorial.ipynb"
ONLY_PAGE = re.compile(r"<!-- page -->\n.*?<!-- end -->\n", re.DOTALL)
ONLY_NOTEBOOK = re.compile(r"<!-- notebook\n(.*?)-->\n", re.DOTALL)
CODE = re.compile(r"```(sh|python)\n(.*?)```\n|!\[[^\]]*\]\(\S+ \"([^\"]+)\"\)\n", re.DOTALL)


def convert(page: str) -> str:
    """Return the notebook of a page in JSON."""
    text = ONLY_NOTEBOOK.sub(r"\1", ONLY_PAGE.sub("", page))
    cells = [_cell(number, *part) for number, part in enumerate(_parts(text))]
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the source of each cell."""
    end = 0
    for match in CODE.finditer(text):
        yield "markdown", text[end : match.start()].strip()
        language, source, picture = match.groups()
        if picture:
            yield "code", f'Image("{picture}")'
        elif language == "sh":
            yield "code", re.sub(r"^", "!", source.strip(), flags=re.MULTILINE)
        else:
            yield "code", source.strip()
        end = match.end()
    yield "markdown", text[end:].strip()


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
    cell["source"] = source.splitlines(keepends=True)
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def main() -> None:
    NOTEBOOK.write_text(convert(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
