"""How Lightning writes and reads checkpoints here: whole or not at all, and as data only."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from anime_dcgan.run import checkpoint as reader
from anime_dcgan.system.files import atomic_write, sync


class AtomicCheckpointIO(TorchCheckpointIO):
    """A file appears under its name only once all of it is on the disk.

    A crash or a full disk therefore never costs the file that had the name before. Raises
    `OSError` when it cannot be written, and `UserError` when it is unsafe or damaged.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        try:
            with atomic_write(Path(path), shared=False) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                sync(partial)
        except RuntimeError as error:  # torch's writer, when the disk is full
            raise OSError(f"{path}: {error}") from error

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return reader.read(Path(path), mmap=False)  # the optimizers keep what is read
