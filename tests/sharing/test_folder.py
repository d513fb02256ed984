import json
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch

from anime_dcgan.run import checkpoint
from anime_dcgan.run.digest import digest_of
from anime_dcgan.run.exported import DESCRIPTION, WEIGHTS
from anime_dcgan.run.runs import find_checkpoint, find_run, records_folder
from anime_dcgan.sampling.sample import faces
from anime_dcgan.sharing.folder import write_generator
from anime_dcgan.system.errors import UserError
from tests.checkpoints import make_checkpoint


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a checkpoint and an export of it."""
    folder = tmp_path_factory.mktemp("exported")
    path = make_checkpoint(folder / "last.ckpt")
    contents, generator = checkpoint.read(path), checkpoint.load_generator(path)
    write_generator(folder / "mine", generator, contents, path, facts={"run": "first"})
    return path, folder / "mine"


@pytest.fixture
def copy(exported: tuple[Path, Path], tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in (DESCRIPTION, WEIGHTS):
        (folder / name).write_bytes((exported[1] / name).read_bytes())
    return folder


def test_an_exported_generator_is_read_like_a_run(exported: tuple[Path, Path], tmp_path: Path):
    path, folder = exported
    found = find_checkpoint(find_run(str(folder), tmp_path), "last")
    before, after = (checkpoint.load_generator(each) for each in (path, found))
    pairs = zip(faces(before, range(4)), faces(after, range(4)), strict=True)
    assert all(np.abs(one.astype(int) - other).max() <= 1 for one, other in pairs)
    assert found.stat().st_size < path.stat().st_size / 2


@pytest.mark.parametrize(
    ("epoch", "weights", "message"),
    [
        ("3", "ema", "epoch=3: .*mine is an exported generator, of epoch 1 only: use epoch=last"),
        ("last", "raw", "has no weights=raw: use weights=ema"),
    ],
)
def test_what_was_not_exported_is_refused(
    exported: tuple[Path, Path], epoch: str, weights: Any, message: str
):
    with pytest.raises(UserError, match=message):
        checkpoint.load_generator(find_checkpoint(exported[1], epoch), weights)


def described(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(content | changes))


def with_target(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / DESCRIPTION).read_text())
    content["config"]["model"]["generator"] |= changes
    state = safetensors.torch.load_file(folder / WEIGHTS)
    settings = content["config"]["model"]["generator"]
    (folder / DESCRIPTION).write_text(json.dumps(content | {"digest": digest_of(settings, state)}))


def with_weights(folder: Path, change: Callable[[bytes], bytes]) -> None:
    (folder / WEIGHTS).write_bytes(change((folder / WEIGHTS).read_bytes()))


def larger(folder: Path) -> None:
    state = safetensors.torch.load_file(folder / WEIGHTS)
    name = next(iter(state))
    safetensors.torch.save_file({**state, name: state[name].repeat(2, 1)}, folder / WEIGHTS)


def test_generators_in_folders_of_the_same_name_have_records_of_their_own(
    exported: tuple[Path, Path], copy: Path, tmp_path: Path
):
    other = tmp_path / "other/copy"
    shutil.copytree(copy, other)
    assert records_folder(other, tmp_path) == records_folder(copy, tmp_path)
    described(other, digest="../../other")
    assert records_folder(other, tmp_path) == tmp_path / "exported/copy-other"


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no json": (lambda folder: (folder / DESCRIPTION).write_text("{"), "not valid JSON"),
    "deep": (lambda folder: (folder / DESCRIPTION).write_text("[" * 9999), "not valid JSON"),
    "foreign": (lambda folder: described(folder, format="x"), "does not describe an exported"),
    "newer": (lambda folder: described(folder, version=2), "its version is 2.*newer anime_dcgan"),
    "counts": (lambda folder: described(folder, images=None), "lacks config, images or epoch"),
    "nan": (lambda folder: described(folder, epoch=float("nan")), "NaN is not a finite number"),
    "overflow": (
        lambda folder: (folder / DESCRIPTION).write_text('{"images": 1e999}'),
        "not valid JSON .1e999 is not a finite number",
    ),
    "class": (
        lambda folder: with_target(folder, _target_="os.system"),
        "'os.system' is not a class of anime_dcgan.model",
    ),
    "huge": (lambda folder: with_target(folder, image_size=1 << 20), "images are larger than 1024"),
    "wide": (lambda folder: with_target(folder, width=1 << 16), "the weights do not fit"),
    "deep network": (
        lambda folder: with_target(
            folder, _target_="anime_dcgan.model.r3gan.Generator", blocks=10**9
        ),
        "it has fewer weights than blocks=1000000000 layers",
    ),
    "other weights": (larger, "does not have the digest in generator.json"),
    "cut": (lambda folder: with_weights(folder, lambda data: data[:-9]), "it is damaged"),
    "empty": (lambda folder: with_weights(folder, lambda _: b""), "ends before its header"),
    "header": (
        lambda folder: with_weights(folder, lambda data: struct.pack("<Q", 1 << 40) + data),
        "its header is too long",
    ),
    "pickle": (lambda folder: with_weights(folder, lambda _: b"\x80\x04" * 9), "is too long"),
    "missing": (lambda folder: (folder / WEIGHTS).unlink(), "does not exist: export the run again"),
    "folder": (
        lambda folder: ((folder / WEIGHTS).unlink(), (folder / WEIGHTS).mkdir()),
        "it is a folder",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_damaged_and_hostile_files_are_refused_in_a_line(copy: Path, kind: str):
    damage, message = HOSTILE[kind]
    damage(copy)
    with pytest.raises(UserError) as error:
        checkpoint.load_generator(find_checkpoint(copy, "last"))
    assert re.search(message, str(error.value)) and "\n" not in str(error.value)
