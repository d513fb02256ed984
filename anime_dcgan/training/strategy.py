"""Training on several devices: the gradients of one player at a time are averaged."""

from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from torch import nn
from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]

from anime_dcgan.training.processes import join


class PlayerStrategy(DDPStrategy):
    """DDP without torch's wrapper, which expects every step to use all parameters.

    The step of a player ends with one all-reduce of its gradients and of all statistics, such as
    those of batch normalisation, so that all processes have the same weights after each step.

    Parameters:
        join_minutes: longest wait for the other processes, minutes.
        settings: as in `DDPStrategy`.
    """

    store: Store | None = None
    """Values that all processes share; None before they have met."""

    def __init__(self, *, join_minutes: float = 10.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.join_minutes = join_minutes

    def setup_distributed(self) -> None:
        """Wait for the other processes. Raises `UserError` if one of them does not come."""
        self.set_world_ranks()
        assert self.cluster_environment is not None
        self.store = join(self.cluster_environment, self.join_minutes)
        super().setup_distributed()

    def on_exception(self, exception: BaseException) -> None:
        """Let this process report the error: Lightning would kill it when others have ended."""
        super().on_exception(exception)
        if isinstance(exception, Exception) and isinstance(
            self.launcher, _SubprocessScriptLauncher
        ):
            self.launcher.procs.clear()  # those that it watches

    def configure_ddp(self) -> None:
        """Start all processes from the weights of the first one."""
        assert self.model is not None
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            torch.distributed.broadcast(tensor.detach(), src=0)

    def average(self, player: nn.Module, *others: nn.Module) -> None:
        """Average the player's gradients and all modules' statistics over all processes.

        Statistics of layers in evaluation mode do not change, and are the same everywhere.
        """
        gradients = [each.grad for each in player.parameters() if each.grad is not None]
        buffers = [
            each
            for network in (player, *others)
            for module in network.modules()
            if module.training
            for each in module.buffers(recurse=False)
            if each.is_floating_point()
        ]
        tensors = [*gradients, *buffers]
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.world_size
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.detach().copy_(part.view_as(tensor))
