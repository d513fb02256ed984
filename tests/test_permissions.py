"""Commands on folders and files of somebody else: each does its work, or ends in a line."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.privileges import unprivileged
from tests.processes import TINY, Result

Call = Callable[..., Result]
TRAIN = (
    *(*TINY, "trainer.max_epochs=1", "metric.directions=16", "callbacks.quality.count=12"),
    *("callbacks.quality.every_kimg=0.016", "equilibrium.steps=1", "equilibrium.count=2"),
)
COMMANDS = {
    "generate": ("generate", "run=a", "n=2", "out=x.png"),
    "report": ("report", "run=a"),
    "compare": ("compare", "outputs"),
    "blind": ("blind", "runs=a,a", "n=2", "out=outputs/a"),
    "export": ("export", "run=a", "out=outputs/a/mine"),
    "evaluate": ("evaluate", "run=a", "count=12", "training=10"),
    "train": ("train", *TRAIN, "run=a"),
    "resume": ("train", *TRAIN, "run=a", "ckpt_path=last", "trainer.max_epochs=2"),
    "sweep": ("train", "-m", *TRAIN, "seed=0"),
    "search": ("search", *TRAIN, "loss=bce,hinge", "trials=1"),
}
DENIED, DONE = "Permission denied", ""
CASES = [
    *(("generate", path, 0, DENIED) for path in (".", "checkpoints", "checkpoints/last.ckpt")),
    *(("generate", path, 0o555, DONE) for path in (".", "checkpoints")),
    *(("report", path, 0, DONE) for path in ("config.yaml", "samples", "quality.json")),
    *((name, ".", 0o555, DENIED) for name in ("report", "blind", "export")),
    ("compare", "config.yaml", 0, "there is no run"),
    ("compare", "samples", 0, DONE),
    ("evaluate", "checkpoints", 0, DENIED),
    ("evaluate", ".", 0o555, DONE),
    ("train", ".lock", 0, DENIED),
    ("train", ".hydra/overrides.yaml", 0, "already has a run"),
    *(("resume", path, 0, DENIED) for path in (".lock", ".hydra", "tensorboard", "scalars.jsonl")),
    *(("resume", path, 0o555, DENIED) for path in (".", "checkpoints", "samples/ema")),
    ("resume", "samples", 0, "the training is saved, but these files are missing"),
    *(("sweep", "..", mode, DENIED) for mode in (0, 0o555)),
    *(("search", "..", mode, DENIED) for mode in (0, 0o555)),
]


@pytest.fixture(scope="module")
def trained(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    call("train", *TRAIN, "run=a", cwd=folder)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(trained / "outputs", tmp_path / "outputs")
    yield tmp_path
    for path in (tmp_path / "outputs", tmp_path / "outputs/a", *tmp_path.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


@pytest.mark.parametrize(("name", "path", "mode", "reason"), CASES)
def test_a_command_does_its_work_or_ends_in_a_line(
    call: Call, folder: Path, name: str, path: str, mode: int, reason: str
):
    if name == "search":
        pytest.importorskip("optuna")
    (folder / "outputs/a" / path).chmod(mode)
    command, *arguments = COMMANDS[name]
    with unprivileged():
        result = call(command, *arguments, cwd=folder, status=2 if reason else 0)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == bool(reason)
    assert all(reason in line for line in errors)
