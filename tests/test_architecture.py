"""Tests of the package's layers and of the imports that each part may have."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import anime_dcgan

PACKAGE = Path(anime_dcgan.__file__).parent
COMMANDS = {
    "train",
    "search",
    "generate",
    "evaluate",
    "prepare",
    "report",
    "compare",
    "blind",
    "export",
    "publish",
}
LAYERS = [
    {"system"},
    {"cli", "data", "model"},
    {"run", "sampling", "game"},
    {"metric", "explore", "cleaning"},
    {"page"},
    {"sharing"},
    {"training", "studio"},
    COMMANDS,
]
"""Folders from the lowest layer up; folders of the same layer do not import each other."""
LIGHT = {
    *COMMANDS,
    *("cli", "system/console", "system/errors", "system/files", "system/paths", "system/scratch"),
    *(
        "run/runs",
        "run/exported",
        "run/hub",
        "run/outcome",
        "run/settings",
        "run/trusted",
        "run/record",
        "run/scalars",
    ),
    *("run/entries", "run/ranking", "run/origin", "training/job", "training/sweep"),
    *("data/source", "data/decoding", "data/folder", "data/cache", "data/drawn", "data/pool"),
    *("data/region", "data/concat", "data/manifest", "data/hub", "data/synthetic"),
    *("data/hub_download", "data/hub_repository", "data/cache_build", "data/cache_files"),
    *("cleaning", "page", "studio/library", "studio/store"),
}
"""Modules and folders that load no torch when imported, so that a mistyped override fails at
once and workers that decode pictures stay small."""
WITHOUT_TORCH = {"page", "report", "compare", "studio/store"}
"""Modules and folders that never load torch, not even inside a function."""
HEAVY = {"torch", "lightning", "torchvision"}
HTTP = {"fastapi", "starlette", "uvicorn"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE).with_suffix(""))


def within(path: Path, names: set[str]) -> bool:
    """Return True if the module, or a folder that contains it, is one of `names`."""
    module = Path(name_of(path))
    return bool(names & {module.as_posix(), *(parent.as_posix() for parent in module.parents)})


def imported(path: Path, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def packages(path: Path, top_level_only: bool = False) -> set[str]:
    return {name.partition(".")[0] for name in imported(path, top_level_only)}


def loaded_with(path: Path) -> set[Path]:
    """Return the modules of the package that are imported together with this one."""
    found, waiting = set[Path](), [path]
    while waiting:
        module = waiting.pop()
        found.add(module)
        for name in imported(module, top_level_only=True):
            other = PACKAGE.parent / name.replace(".", "/")
            for candidate in (other.with_suffix(".py"), other / "__init__.py"):
                if candidate in MODULES and candidate not in found:
                    waiting.append(candidate)
    return found


def layer_of(folder: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if folder in layer)


modules = pytest.mark.parametrize("path", MODULES, ids=name_of)


def test_the_root_of_the_package_holds_only_the_commands():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", *COMMANDS}
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set().union(*LAYERS[:-1])


def test_no_module_has_more_than_400_lines():
    for path in (*MODULES, *Path(__file__).parent.rglob("*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


@modules
def test_modules_import_only_from_their_own_folder_or_from_lower_layers(path: Path):
    own, *_ = name_of(path).split("/")
    if own == "__init__":
        return
    for name in imported(path):
        other = name.removeprefix("anime_dcgan.").partition(".")[0]
        if name.startswith("anime_dcgan.") and not other.startswith("_"):
            assert other == own or layer_of(other) < layer_of(own), name


@modules
def test_modules_that_must_start_fast_import_nothing_heavy(path: Path):
    if within(path, LIGHT):
        heavy = {name_of(other): packages(other, True) & HEAVY for other in loaded_with(path)}
        assert not {name: found for name, found in heavy.items() if found}


@modules
def test_reports_and_the_store_never_load_torch(path: Path):
    if within(path, WITHOUT_TORCH):
        assert not packages(path) & HEAVY


@modules
def test_only_the_training_imports_lightning(path: Path):
    if not within(path, {"training", "data/datamodule", "train"}):
        assert "lightning" not in packages(path)


@modules
def test_only_the_studio_imports_http_libraries(path: Path):
    if not within(path, {"studio"}) or within(path, {"studio/store", "studio/library"}):
        assert not packages(path) & HTTP


def is_text_mode(call: ast.Call) -> bool:
    """Return True for `.open()` and `.open("w")`: the first argument is a mode, if there is one."""
    if not call.args:
        return not call.keywords
    mode = call.args[0]
    return isinstance(mode, ast.Constant) and mode.value in ("r", "w", "a", "x", "r+", "w+", "a+")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_text_files_are_opened_as_utf_8(path: Path):
    """The default encoding is that of the country on Windows."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        opens_text = name in ("read_text", "write_text") or (name == "open" and is_text_mode(node))
        given = any(keyword.arg == "encoding" for keyword in node.keywords)
        assert given or not opens_text, f"{path}:{node.lineno} has no encoding"
