"""Checkpoint input and output for Lightning: atomic writing, and reading that runs no code."""

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from anime_dcgan.run import checkpoint as reader
from anime_dcgan.system.errors import first_line
from anime_dcgan.system.files import atomic_write, sync


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically, so that a crash or a full disk leaves the previous file intact.

    Saving raises `OSError`; loading raises `UserError` if the file is unsafe or damaged.
    """

    checked: dict[str, Any] | None = None
    """Contents that were read and checked before the training, which loads them once."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        try:
            with atomic_write(Path(path)) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                sync(partial)
        except RuntimeError as error:  # from torch's writer, on a full disk
            raise OSError(f"{path}: {first_line(error)}") from error

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the contents, as if this version of Lightning had written them.

        Other versions differ in their loops, whose state `Position` replaces.
        """
        contents, self.checked = self.checked, None
        contents = contents or reader.read(Path(path), mmap=False)  # the optimizers keep tensors
        return contents | {"pytorch-lightning_version": lightning.__version__}
