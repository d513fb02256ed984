"""Stopping a run whose losses or weights are NaN or infinite, before it is saved."""

from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN

STEPS_BETWEEN_CHECKS = 50  # on an accelerator, where each check waits for the device


class NaNGuard(Callback):
    """Raise `UserError`, naming the step and the last good checkpoint, on NaN or infinity.

    Parameters:
        folder: folder of the run's checkpoints.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self._losses: list[tuple[int, Tensor]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        losses = [value for name, value in outputs.items() if name.startswith("loss/")]
        self._losses.append((pl_module.discriminator_steps, torch.stack(losses).sum()))
        if pl_module.device.type == "cpu" or len(self._losses) >= STEPS_BETWEEN_CHECKS:
            self._check_losses(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._check_losses(pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        self._check_losses(pl_module)
        for name, tensor in checkpoint["state_dict"].items():
            if not torch.isfinite(tensor).all():
                raise UserError(self._message(f"the weights `{name}` are", pl_module))

    def _check_losses(self, module: GAN) -> None:
        if not self._losses:
            return
        steps, losses = zip(*self._losses, strict=True)
        self._losses.clear()
        bad = (~torch.isfinite(torch.stack(losses))).nonzero()
        if len(bad):
            step = steps[int(bad[0])]
            raise UserError(self._message(f"at step {step} a loss became", module))

    def _message(self, problem: str, module: GAN) -> str:
        last = self.folder / "last.ckpt"
        saved = f"the last good checkpoint is {last}" if last.exists() else "nothing was saved yet"
        return (
            f"training stopped after {module.images_seen:,} images: {problem} NaN or infinite; "
            f"{saved}. Try a lower learning rate, such as optimizer.lr=1e-4, or "
            "trainer.precision=32-true"
        )
