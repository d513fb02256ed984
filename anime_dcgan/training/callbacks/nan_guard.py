"""A run whose losses are no longer numbers is stopped, and never saved."""

from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor

from anime_dcgan.system.errors import UserError
from anime_dcgan.training.gan import GAN

STEPS_BETWEEN_CHECKS = 50  # on an accelerator each look at a loss waits for the device


class NaNGuard(Callback):
    """Stops with the step at which a loss became NaN or infinite, and the last good checkpoint."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self._losses: list[tuple[int, Tensor]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        losses = [value for name, value in outputs.items() if name.startswith("loss/")]
        self._losses.append((pl_module.discriminator_steps, torch.stack(losses).sum()))
        if pl_module.device.type == "cpu" or len(self._losses) >= STEPS_BETWEEN_CHECKS:
            self._look(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: GAN) -> None:
        self._look(pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: GAN, checkpoint: dict[str, Any]
    ) -> None:
        self._look(pl_module)
        for name, tensor in checkpoint["state_dict"].items():
            if not torch.isfinite(tensor).all():
                raise UserError(self._message(f"the weights `{name}` are", pl_module))

    def _look(self, module: GAN) -> None:
        if not self._losses:
            return
        steps, losses = zip(*self._losses, strict=True)
        self._losses.clear()
        broken = (~torch.isfinite(torch.stack(losses))).nonzero()
        if len(broken):
            step = steps[int(broken[0])]
            raise UserError(self._message(f"at step {step} a loss became", module))

    def _message(self, what: str, module: GAN) -> str:
        last = self.folder / "last.ckpt"
        kept = f"the last good checkpoint is {last}" if last.exists() else "nothing was saved yet"
        return (
            f"training stopped after {module.images_seen:,} images: {what} NaN or infinite; "
            f"{kept}. Try a lower rate, for example optimizer.lr=1e-4, or trainer.precision=32-true"
        )
