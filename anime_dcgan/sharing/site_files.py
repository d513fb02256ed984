"""Names of the files of a site; importable without torch."""

from pathlib import Path

GENERATOR = "generator.onnx"
DATA = "data.js"
MARK = "// A site of anime_dcgan.\n"
"""First line of `DATA`, by which a folder is known to be a site."""
RUNTIME = "runtime"
DISK = "disk"
"""Folder of the scripts that a page reads when it is opened from disk."""
TOP_LEVEL = {
    *("index.html", "site.css", "site.js", "engine.js", "sw.js", "manifest.webmanifest", DATA),
    *("icon.png", "preview.jpg", GENERATOR, RUNTIME, DISK),
}


def foreign_files(folder: Path) -> list[str]:
    """Return the names of a folder's files that are not those of a site."""
    names = {path.name for path in folder.iterdir()}
    try:
        is_site = (folder / DATA).read_text(encoding="utf-8").startswith(MARK)
    except (OSError, UnicodeDecodeError):
        is_site = False
    return sorted(names - TOP_LEVEL if is_site else names)
