"""Training on several devices: the gradients of one player at a time are averaged."""

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import nn


class PlayerStrategy(DDPStrategy):
    """DDP without torch's wrapper, which expects every step to use all parameters.

    The step of a player ends with one all-reduce of its gradients and of all statistics, such as
    those of batch normalisation, so that all processes have the same weights after each step.
    """

    def configure_ddp(self) -> None:
        """Start all processes from the weights of the first one."""
        assert self.model is not None
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            torch.distributed.broadcast(tensor.detach(), src=0)

    def average(self, player: nn.Module, *others: nn.Module) -> None:
        """Average the player's gradients and all modules' statistics over all processes."""
        gradients = [each.grad for each in player.parameters() if each.grad is not None]
        buffers = [
            each
            for module in (player, *others)
            for each in module.buffers()
            if each.is_floating_point()
        ]
        tensors = [*gradients, *buffers]
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.world_size
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.detach().copy_(part.view_as(tensor))
