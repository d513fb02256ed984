"""A run as the list shows it, and the file that remembers the list between two starts."""

import time
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

import anime_dcgan
from anime_dcgan.system.errors import RefusedFileError
from anime_dcgan.system.files import atomic_write
from anime_dcgan.system.reader import read_bytes

SECONDS_BETWEEN_WRITES = 30
FileState = tuple[int, ...]
"""Modification times of the files of a run."""


class Verdict(BaseModel):
    """The verdict on the training, and the epoch that it names."""

    name: str
    reasons: list[str]
    epoch: float | None
    images: float | None


class Best(BaseModel):
    """The lowest headline distance, and where it was measured."""

    epoch: float | None
    images: float
    value: float


class BeganFrom(BaseModel):
    """The checkpoint that a run began from, and the images that it had been trained on."""

    run: str
    epoch: str
    images: int


class Run(BaseModel):
    """A run as the list shows it.

    `epochs` lists the numbered checkpoints, earliest first, and `aliases` those called best or
    last. `updated` is the time of the latest write, in seconds since the Unix epoch; `images` are
    those of the training at the last measurement of quality. `settings` are class names and sizes
    that identify the recipe, and `floor` is the headline distance between two sets of real faces.
    A `packaged` run comes with the program and is listed only if there is no other; `problem`
    explains an unreadable config.yaml.
    """

    name: str
    epochs: list[str]
    aliases: list[str]
    running: bool
    updated: float
    latent_dim: int | None
    image_size: int | None
    model: str
    settings: dict[str, str | int | float]
    images: float | None
    verdict: Verdict | None
    headline: str | None
    best: Best | None
    floor: float | None
    origin: BeganFrom | None
    packaged: bool
    problem: str | None


Contents = tuple[str, dict[str, tuple[FileState, Run]]]
CONTENTS: TypeAdapter[Contents] = TypeAdapter(Contents)


class RunCache:
    """Runs by name, each valid for one state of its files; a damaged file is ignored.

    Parameters:
        path: file that remembers them; None remembers them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._runs = _read(path) if path is not None else {}
        self._has_changed = False
        self._written = 0.0

    def get(self, name: str, state: FileState) -> Run | None:
        cached = self._runs.get(name)
        return cached[1] if cached is not None and cached[0] == state else None

    def put(self, name: str, state: FileState, run: Run) -> None:
        self._runs[name] = (state, run)
        self._has_changed = True

    def store(self, names: set[str]) -> None:
        """Forget all other runs, and write the file from time to time."""
        self._runs = {name: cached for name, cached in self._runs.items() if name in names}
        is_due = time.monotonic() - self._written > SECONDS_BETWEEN_WRITES or not self._written
        if self._path is None or not self._has_changed or not is_due:
            return
        self._written, self._has_changed = time.monotonic(), False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path) as partial:
                partial.write_bytes(CONTENTS.dump_json((anime_dcgan.__version__, self._runs)))
        except OSError:
            self._path = None  # a disk that is full or read-only: the next start reads every run


def _read(path: Path) -> dict[str, tuple[FileState, Run]]:
    try:
        version, runs = CONTENTS.validate_json(read_bytes(path))
    except (FileNotFoundError, RefusedFileError, ValidationError):
        return {}
    return runs if version == anime_dcgan.__version__ else {}
