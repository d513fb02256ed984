"""Floors: a module imports from the floors below its own, never from above or from beside."""

import ast
from pathlib import Path

import pytest

import anime_dcgan

PACKAGE = Path(anime_dcgan.__file__).parent
FLOORS = [
    {"errors", "paths", "console", "runs", "files", "trusted", "outcome", "overrides", "settings"}
    | {"memory", "input_gradient", "leftovers"},
    {"image", "latent", "precision", "model", "loss", "regularizer", "ema", "schedule"}
    | {"augment", "transformations", "verdict", "page", "refusal"},
    {"checkpoint", "drawing", "data", "objective", "cuda_graph"},
    {"gan", "checkpoint_io", "command", "metric", "duality", "cleaning", "space", "explore"},
    {"callbacks", "evaluation", "preview"},
    {"training"},
    {"job"},
    {"sweep"},
    {"train", "search", "generate", "evaluate", "report", "prepare", "compare", "studio"},
]
LIGHT = {
    *("train", "search", "generate", "evaluate", "report", "prepare", "compare", "command"),
    *("console", "errors", "files", "paths", "runs", "trusted"),
    *("job", "sweep", "space", "overrides", "outcome", "settings", "refusal"),
}
"""Modules that start without torch, so that a mistyped override is told at once."""
WITHOUT_TORCH = {
    *("data/source", "data/decoding", "data/folder", "data/cache", "data/drawn", "data/pool"),
    *("data/region", "data/joined", "data/manifest", "data/hub"),
    *("cleaning/looks", "cleaning/oddity", "cleaning/copies", "cleaning/crop", "cleaning/scan"),
    *("cleaning/judge", "cleaning/findings"),
}
HEAVY = {"torch", "lightning", "torchvision"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def floor_of(name: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if name in floor)


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "anime_dcgan":
            found |= {f"anime_dcgan.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def subject(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_come_from_below(path: Path):
    if subject(path) == "__init__":
        return
    own = floor_of(subject(path))
    for name in imported(path):
        if name.startswith("anime_dcgan."):
            other = name.split(".")[1]
            assert other == subject(path) or floor_of(other) <= own, name
            assert other not in FLOORS[-1] or other == subject(path), name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_must_start_fast_imports_nothing_heavy(path: Path):
    place = str(path.relative_to(PACKAGE).with_suffix(""))
    if place in LIGHT or place in WITHOUT_TORCH:
        assert not {name.split(".")[0] for name in imported(path, top_level_only=True)} & HEAVY


def test_the_report_needs_files_only():
    for path in MODULES:
        if subject(path) in {"page", "report", "compare"}:
            assert not {name.split(".")[0] for name in imported(path)} & HEAVY, path


def test_the_store_of_the_studio_knows_neither_torch_nor_http():
    for path in MODULES:
        if path.is_relative_to(PACKAGE / "studio" / "store"):
            kinds = {name.split(".")[0] for name in imported(path)}
            assert not kinds & (HEAVY | {"fastapi", "starlette", "uvicorn"}), path


def test_lightning_stays_above_the_checkpoint_reader():
    for path in MODULES:
        if subject(path) in {"image", "latent", "model", "checkpoint", "drawing", "generate"}:
            assert not any(name.split(".")[0] == "lightning" for name in imported(path)), path
