"""Paths of the package's own files, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent

CONF_DIR = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""The folder of the Hydra configuration: inside the package if installed, else next to it."""

DEMO_DIR = _PACKAGE / "demo"
"""An exported generator of drawn faces, which `experiment=demo` trains."""
