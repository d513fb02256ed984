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

KEPT = ("README.md", ".gitattributes", ".nojekyll", "CNAME")
"""Files for hosts of static pages, which users add to a site and which stay when it is replaced."""


def foreign_files(folder: Path) -> list[str]:
    """Return the names of a folder's files that would be lost if a site replaced it."""
    names = {path.name for path in folder.iterdir()} - {path.name for path in kept_files(folder)}
    try:
        is_site = (folder / DATA).read_text(encoding="utf-8").startswith(MARK)
    except (OSError, UnicodeDecodeError):
        is_site = False
    return sorted(names - TOP_LEVEL if is_site else names)


def kept_files(folder: Path) -> list[Path]:
    """Return the files of a folder that stay when a site replaces it."""
    paths = (folder / name for name in KEPT)
    return [path for path in paths if path.is_file() and not path.is_symlink()]
