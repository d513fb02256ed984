"""Every command of the README that is ours is run, made small by overrides behind it."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import anime_dcgan
from anime_dcgan.data.drawn import DrawnFaces

README = Path(anime_dcgan.__file__).parent.parent / "README.md"
SMALL = {
    "train": (
        *("data.image_size=16", "data.batch_size=4", "max_kimg=0.016", "trainer=cpu"),
        *("trainer.precision=32-true", "callbacks.samples.count=4"),
    ),
    "prepare": ("workers=1",),
    "generate": ("frames_per_face=2", "overwrite=true"),
    "search": (
        *("data.image_size=16", "data.batch_size=4", "max_kimg=0.016", "trainer=cpu", "trials=1"),
        *("trainer.precision=32-true", "callbacks.samples.count=4"),
    ),
    "evaluate": (),
    "report": (),
    "compare": (),
}
OTHER_DATA = ("data=folder", "data=manifest", "data.count")
NOT_RUN = re.compile(r"trainer=(ddp|gpu)|--help|launcher=|\.studio")
"""Tested elsewhere, or in need of a GPU."""


def commands() -> list[str]:
    if not README.is_file():
        return []
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    ours = [line.split("#")[0].strip() for line in lines if "python -m anime_dcgan." in line]
    return [line[line.index("python -m") :] for line in ours if not NOT_RUN.search(line)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, call: Callable[..., object]) -> Path:
    """A user's folder: pictures, prepared, and a run of their own."""
    place = tmp_path_factory.mktemp("user")
    (place / "faces").mkdir()
    drawn = DrawnFaces(40)
    for number in range(40):
        drawn.read(number, 64).save(place / "faces" / f"{number}.png")
    (place / "review.json").write_text('{"choices": {}}')
    call("prepare", "source=faces/", "out=prepared", *SMALL["prepare"], cwd=place)
    small = ("data.count=40", "trainer.max_epochs=1", "run=first", *SMALL["train"])
    call("train", *small, "max_kimg=null", cwd=place)
    checkpoints = place / "outputs/first/checkpoints"
    (place / "outputs/losses").mkdir()
    for epoch in (10, 70):
        (checkpoints / f"epoch={epoch:04d}.ckpt").write_bytes(
            (checkpoints / "last.ckpt").read_bytes()
        )
    return place


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_runs(call: Callable[..., object], folder: Path, line: str):
    words = shlex.split(line)
    command = words[2].removeprefix("anime_dcgan.")
    overrides = [word for word in words[3:] if not word.startswith("max_kimg=")]
    small = [*SMALL[command]]
    if command in ("train", "search"):
        if not any(word.startswith(OTHER_DATA) for word in overrides):
            small.append("data.count=60" if command == "search" else "data.count=20")
        if any(word.startswith("ckpt_path") for word in overrides):
            pytest.skip("going on is tested in test_commands.py, with a run to go on with")
        small.append(f"run=readme-{commands().index(line)}")
        if "loss=wgan_gp" in line and "radford" in line:
            small.append("gan.critic_steps=1")
    call(command, *overrides, *small, cwd=folder)


def test_the_readme_is_read():
    if README.is_file():
        assert len(commands()) >= 8
