"""Generators that outlive their runs: those of kept faces, each stored once in a folder."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from anime_dcgan.run.checkpoint import build_generator, generator_settings, generator_state, read
from anime_dcgan.run.digest import digest_of
from anime_dcgan.sampling.narrow import narrow_state
from anime_dcgan.system.errors import UserError
from anime_dcgan.system.files import atomic_write, sync
from anime_dcgan.system.reader import modified
from anime_dcgan.system.scratch import ABANDONED_SECONDS

if TYPE_CHECKING:
    from anime_dcgan.explore.model import Model


class KeptGenerators:
    """A folder of generators in files named by their digests.

    A file has the form of a checkpoint with a single set of weights, and is read as safely.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        return self.folder / f"{digest}.pt"

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def find(self, digest: str) -> Path | None:
        """Return the file of a generator; None if it is not stored."""
        return self.path(digest) if self.has(digest) else None

    def keep(self, model: "Model") -> None:
        """Store a generator unless it is stored already. Raises OSError."""
        if self.has(model.digest):
            return
        state = narrow_state(model.generator)
        contents = {
            "state_dict": {f"generator_ema.{name}": tensor for name, tensor in state.items()},
            "config": {"model": {"generator": model.settings}},
            **model.counts,
        }
        with atomic_write(self.path(model.digest)) as partial:
            torch.save(contents, partial)
            sync(partial)

    def adopt(self, digest: str, content: bytes) -> None:
        """Store the content of another studio's file, unless this generator is stored already.

        Raises `UserError` if it is damaged, unsafe, or another generator than the digest names.
        """
        if self.has(digest):
            return
        with atomic_write(self.path(digest)) as partial:
            partial.write_bytes(content)
            try:
                contents = read(partial, mmap=False)
                build_generator(contents, "ema", partial)
            except UserError:
                raise UserError(f"the generator {digest} of this collection is damaged") from None
            state = generator_state(contents, "ema")
            if digest_of(generator_settings(contents, partial), state) != digest:
                raise UserError(f"the generator {digest} of this collection is another one")
            sync(partial)

    def remove_unused(self, used: Collection[str]) -> None:
        """Delete the generators that no kept face names, except those of the last day."""
        for path in self.folder.glob("*.pt"):
            is_old = time.time() - modified(path) / 1e9 > ABANDONED_SECONDS
            if path.stem not in used and is_old:
                path.unlink(missing_ok=True)
