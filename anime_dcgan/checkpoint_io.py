"""How Lightning writes and reads checkpoints here: whole or not at all, and as data only."""

import contextlib
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from anime_dcgan import checkpoint as reader


class AtomicCheckpointIO(TorchCheckpointIO):
    """A file appears under its name only once all of it is on the disk.

    A crash or a full disk therefore never costs the file that had the name before. Raises
    `OSError` when it cannot be written, and `UserError` when it is unsafe or damaged.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        try:
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except BaseException as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            if isinstance(error, RuntimeError):  # torch's writer, when the disk is full
                raise OSError(f"{target}: {error}") from error
            raise

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return reader.read(Path(path), mmap=False)  # the optimizers keep what is read
