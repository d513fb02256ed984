"""Tests of the documentation: every command runs, every setting and link exists.

Commands of README.md and docs/ run on a few small pictures, made short by overrides that are
appended. For commands that need hours, a GPU or a network, and those under docs/research, the
settings are composed, checked and built, but nothing is trained. Unknown commands fail the test.
"""

import contextlib
import importlib
import importlib.util
import itertools
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from fastapi.testclient import TestClient
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from anime_dcgan.cli.command import instantiate
from anime_dcgan.cli.overrides import expand_short_forms
from anime_dcgan.cli.signatures import check_settings, leave_out_settings
from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.model import features
from anime_dcgan.run.preference import Key
from anime_dcgan.studio.app import Settings, create_app
from anime_dcgan.system.files import write_json
from anime_dcgan.system.paths import CONF_DIR
from tests import documented
from tests.documented import ROOT, Command, commands, links, named_settings
from tests.features import random_features
from tests.image import instructions

Call = Callable[..., Any]

SHORT = (
    *("data.image_size=16", "data.batch_size=4", "max_kimg=0.016", "trainer=cpu"),
    *("trainer.precision=32-true", "callbacks.samples.count=4", "data.count=20"),
)
FIRST = ("data.count=40", "trainer.max_epochs=1", *SHORT[:2], *SHORT[3:6])
APPENDED = {
    "blind": ("n=2", "out=elsewhere", "overwrite=true"),
    "search": (*SHORT[:6], "data.count=60", "trials=1"),
    "prepare": ("workers=1",),
    "generate": ("frames_per_face=2", "overwrite=true"),
    "export": ("overwrite=true",),
}
SHOWS_ONLY = {"--help", "--cfg"}
NOT_TRAINED = re.compile(
    r"trainer=(ddp|gpu|profile)|trainer\.devices=2|launcher=|push=|(data|crop)=(anime_faces|cascade)"
)
"""Commands that are tested elsewhere, or need a GPU, a network or a file from elsewhere."""
RECORDED_RUNS = re.compile(r"run=(?!first|latest|two)|outputs/(?!first|losses)")
"""Commands about runs that took hours."""
NO_SETTING = re.compile(
    r"\.(json|csv|html|png|jpg|gif|ckpt|yaml|txt|safetensors|onnx|pt2)$|^torch\."
)
"""Names of files and of Python objects."""
MEASURES = {
    **{"drawing": "alternate", "feeding": "alternate", "training": "alternate"},
    **{"duality_gap": "find_checkpoint", "extractors": "read"},
    **{"first_face": "open_site", "large_training": "make", "notebook": "convert"},
    **{"overhead": "fit", "penalty": "seconds"},
    **{"planted_faults": "prepare", "preparing": "make", "projecting": "load_generator"},
    **{"recompute": "Game", "scaling": "measure_all", "sizes": "in_new_process"},
    **{"starting": "run", "studio": "make_run", "threads": "in_new_process"},
    **{"usual_loop": "instantiate"},
}
"""The function of each benchmark that starts its measurement."""
SKIPPED = {"drawing": ["train"], "training": ["write_faces", "instantiate"]}
"""Functions of long preparations before it."""


class Started(Exception):
    """Raised where a benchmark, having read its arguments, would begin to measure."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, call: Call) -> Path:
    """Return a user's folder with pictures, prepared, and a run trained on them."""
    user = tmp_path_factory.mktemp("user")
    (user / "faces").mkdir()
    drawn = DrawnFaces(40)
    for number in range(40):
        drawn.read(number, 64).save(user / "faces" / f"{number}.png")
    (user / "review.json").write_text('{"choices": {}}')
    call("prepare", "source=faces/", "out=prepared", *APPENDED["prepare"], cwd=user)
    call("train", *FIRST, "run=first", cwd=user)
    checkpoints = user / "outputs/first/checkpoints"
    for epoch in (6, 10, 70):
        shutil.copy(checkpoints / "last.ckpt", checkpoints / f"epoch={epoch:04d}.ckpt")
    shutil.copytree(user / "outputs/first", user / "outputs/losses/loss=bce")
    for name in ("second", "mine"):
        shutil.copytree(user / "outputs/first", user / "outputs" / name)
    (user / "choices.json").write_text(json.dumps({"page": "a", "choices": ["left"]}))
    write_json(user / "by-eye/key.json", Key("a", ("first", "second"), (False,)).to_json())
    return user


@pytest.fixture(autouse=True)
def without_pretrained_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look through a small random network, also where the extra is not installed."""
    monkeypatch.setitem(features.NETWORKS, "efficientnet_lite0", random_features)


@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_documented_command_works(
    command: Command, call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(folder)
    try:
        run(command, call, folder, monkeypatch)
    except (Exception, SystemExit) as error:
        raise AssertionError(f"{command}: {command.text}\n{error}") from error


def run(command: Command, call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    match command.argv:
        case ["python", "-m", module, *argv] if module.startswith("anime_dcgan."):
            run_ours(command, module.removeprefix("anime_dcgan."), argv, call, folder, monkeypatch)
        case ["python", "-m", module, *argv] if module.startswith("benchmarks."):
            start_benchmark(importlib.import_module(module), argv, folder, monkeypatch)
        case ["python", path, *argv] if path.endswith(".py"):
            monkeypatch.setattr(sys, "argv", [path, *argv])
            runpy.run_path(str(ROOT / path), run_name="__main__")
        case ["pip", "install", *argv]:
            assert_extras_exist(argv)
        case ["curl", *argv]:
            ask_the_studio(argv, folder)
        case ["python", "-m", "pytest", *argv] | ["pytest", *argv]:
            check_options("pytest", [*argv, "--version"])
        case ["ruff", *argv]:
            check_options("ruff", [*argv, "--help"])
        case ["pyright", *argv]:
            assert not argv and importlib.util.find_spec("pyright")
        case ["docker", *argv]:
            check_docker(argv, call, folder)
        case ["python3", "-m", "venv", ".venv"]:
            assert importlib.util.find_spec("venv")
        case _:
            raise AssertionError("no test knows how to run this command")


def run_ours(
    command: Command,
    name: str,
    argv: list[str],
    call: Call,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name == "studio":
        open_studio(argv, call, folder, monkeypatch)
    elif SHOWS_ONLY & set(argv):
        call(name, *argv, cwd=folder)
    elif is_recorded(command) or NOT_TRAINED.search(command.text):
        check(name, argv, call, folder)
    elif name in ("train", "search"):
        train(name, argv, call, folder, run=f"docs-{command.page}-{command.line}")
    else:
        call(
            name, *(limit_faces(argument) for argument in argv), *APPENDED.get(name, ()), cwd=folder
        )


def is_recorded(command: Command) -> bool:
    """Return True if the command belongs to a recorded measurement."""
    return command.page.startswith("docs/research") or bool(RECORDED_RUNS.search(command.text))


def limit_faces(argument: str) -> str:
    """Return the argument, with at most 64 faces to draw."""
    return re.sub(r"^n=\d{3,}$", "n=64", argument)


def check(name: str, argv: list[str], call: Call, folder: Path) -> None:
    """Compose a command's settings, check them, and build what they would train."""
    if name not in ("train", "search"):
        shown = call(name, *argv, "--cfg", "job", cwd=folder)
        check_settings(DictConfig(yaml.safe_load(shown.stdout)))
        return
    for overrides in jobs(argv):
        config = compose_config(overrides)
        leave_out_settings(config, overrides)
        check_settings(config)
        instantiate(config.gan)


def jobs(argv: list[str]) -> Iterator[list[str]]:
    """Yield the overrides of each job of a sweep, for one seed; a search has one job."""
    parse = OverridesParser.create().parse_overrides
    given = parse([argument for argument in argv if not argument.startswith("-")])
    fixed = [str(each.input_line) for each in given if not each.is_sweep_override()]
    params = compose_config(fixed, with_hydra=True).hydra.sweeper.get("params") or {}
    swept = parse([f"{key}={value}" for key, value in params.items()])
    choices: dict[str, list[str]] = {}
    for each in (*swept, *given):
        key = each.get_key_element()
        if not each.is_sweep_override():
            choices[key] = [str(each.input_line)]
        elif each.is_discrete_sweep():
            values = [f"{key}={value}" for value in each.sweep_string_iterator()]
            choices[key] = values[:1] if key == "seed" else values
    yield from map(list, itertools.product(*choices.values()))


def compose_config(overrides: list[str], with_hydra: bool = False) -> DictConfig:
    name = "search" if any(argument.startswith("trials=") for argument in overrides) else "train"
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose(
            name, [*expand_short_forms(overrides), "run_dir=run"], return_hydra_config=with_hydra
        )


def train(name: str, argv: list[str], call: Call, folder: Path, run: str) -> None:
    """Train on a few faces of 16 px; with `ckpt_path=last`, train first, then resume."""
    given = [argument for argument in argv if not argument.startswith(("max_kimg=", "ckpt_path="))]
    names = [argument for argument in given if argument.startswith("run=")]
    short = [*APPENDED.get(name, SHORT)]
    if re.search(r"data=(folder|manifest)|data\.count", " ".join(given)):
        short = [argument for argument in short if not argument.startswith("data.count")]
    if "loss=wgan_gp" in given and "model=radford" in given:
        short.append("gan.critic_steps=1")
    if {"experiment=biggan", "experiment=best", "experiment=best_projected"} & set(given):
        short.append("model.attention=8")
    if names == ["run=first"] and "ckpt_path=last" in argv:
        call(name, *argv, *FIRST, cwd=folder)
    elif "ckpt_path=last" in argv:
        call(name, *given, *short, cwd=folder)
        call(name, *given, *short, "ckpt_path=last", cwd=folder)
    else:
        sweep = [argument for argument in argv if argument.startswith("sweep=")]
        fewer_jobs = ["seed=0", *(["loss=bce,hinge"] if sweep == ["sweep=losses"] else [])]
        short += fewer_jobs if sweep or "-m" in argv else []
        call(name, *given, *short, f"run={run}".replace("/", "-"), cwd=folder)


def open_studio(argv: list[str], call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the studio on a free port, and close it at once."""
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    assert "the studio is open at" in call("studio.__main__", *argv, "port=0", cwd=folder).stderr


def ask_the_studio(argv: list[str], folder: Path) -> None:
    """Send the request of a `curl` command to a studio of the user's runs."""
    address = next(argument for argument in argv if argument.startswith("http://127.0.0.1:8765/"))
    headers = dict(re.findall(r"([\w-]+): (.*)", "\n".join(argv)))
    app = create_app(Settings(folder / "outputs", folder / "studio"))
    with TestClient(app, base_url="http://127.0.0.1", headers=headers) as client:
        path = address.removeprefix("http://127.0.0.1:8765")
        if "--json" in argv:
            answer = client.post(path, json=json.loads(argv[argv.index("--json") + 1]))
        else:
            answer = client.get(path)
        assert answer.is_success, answer.text


def start_benchmark(
    module: ModuleType, argv: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start a benchmark until it has read its arguments and composed its settings."""
    name = module.__name__.removeprefix("benchmarks.")
    for argument in argv:
        if argument.startswith("outputs/") and not (folder / argument).exists():
            shutil.copytree(folder / "outputs/first", folder / argument)
    for replaced in SKIPPED.get(name, ()):
        assert hasattr(module, replaced)
        monkeypatch.setattr(module, replaced, MagicMock())
    if name in MEASURES:
        assert hasattr(module, MEASURES[name])
        monkeypatch.setattr(module, MEASURES[name], MagicMock(side_effect=Started))
    monkeypatch.setattr(sys, "argv", [name, *argv])
    with pytest.raises(Started) if name in MEASURES else contextlib.nullcontext():
        module.main()


def assert_extras_exist(argv: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {argument for argument in argv if argument.startswith("-")} <= {"-q", "-e"}
    (target,) = (argument for argument in argv if not argument.startswith("-"))
    path, names = re.fullmatch(r"(\.)(?:\[([\w,]+)\])?", target).groups()  # type: ignore[union-attr]
    assert path == "."
    assert set((names or "dev").split(",")) <= extras["optional-dependencies"].keys()


def check_docker(argv: list[str], call: Call, folder: Path) -> None:
    """Check the arguments of a build, or compose the settings of the command in the container."""
    if argv[0] == "build":
        arguments = {text.partition("=")[0] for name, text in instructions() if name == "ARG"}
        given = re.findall(r"--build-arg (\w+)=", " ".join(argv))
        assert argv[-1] == "." and set(given) <= arguments
        return
    image = next(word for word in argv if word.startswith("anime_dcgan"))
    match argv[argv.index(image) + 1 :]:
        case [command, *settings]:
            check(command.removeprefix("anime-"), settings, call, folder)


def check_options(module: str, argv: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", module, *argv], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr


def test_commands_are_found():
    if documented.pages():
        found = commands()
        assert len(found) >= 100
        texts = [command.text for command in found]
        others = ("evaluate", "prepare", "report", "compare", "blind", "export", "publish")
        for name in ("train", "search", "generate", *others):
            assert any(f"anime_dcgan.{name}" in text for text in texts)


@pytest.fixture(scope="module")
def all_settings() -> set[str]:
    """Return the keys of all commands and of each option of each group."""
    found: set[str] = set()
    for path in CONF_DIR.glob("**/*.yaml"):
        text = path.read_text(encoding="utf-8")
        is_group = path.parent != CONF_DIR and "@package _global_" not in text
        parts = path.parent.relative_to(CONF_DIR).parts if is_group else ()
        found |= keys(yaml.safe_load(text), "".join(f"{part}." for part in parts))
    return found


def keys(node: Any, prefix: str = "") -> set[str]:
    if not isinstance(node, dict):
        return set()
    names = {f"{prefix}{name}" for name in node}
    return names.union(*(keys(inside, f"{prefix}{name}.") for name, inside in node.items()))


@pytest.mark.parametrize("setting", named_settings(), ids=str)
def test_a_setting_named_in_the_documentation_exists(setting: Command, all_settings: set[str]):
    exists = setting.text in all_settings
    assert exists or (ROOT / setting.text).exists() or NO_SETTING.search(setting.text), setting


@pytest.mark.parametrize("link", links(), ids=str)
def test_a_link_leads_to_a_file_and_a_heading(link: Command):
    target, _, anchor = link.text.partition("#")
    page = ROOT / link.page
    path = (page.parent / target).resolve() if target else page
    assert path.exists(), f"{link}: {link.text}"
    if anchor:
        headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
        assert anchor in slugs, f"{link}: {link.text}"


def test_the_readme_is_short():
    readme = ROOT / "README.md"
    if readme.is_file():
        text = readme.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 150
        assert len(text.split()) <= 1500
