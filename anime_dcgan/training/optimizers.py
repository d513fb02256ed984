"""Rehearsals of optimizers: steps on copies of the networks, before a training begins."""

import copy
from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from anime_dcgan.system.errors import UserError
from anime_dcgan.system.memory import is_out_of_memory
from anime_dcgan.training.gan import GAN, PLAYERS


def check_optimizers(module: GAN, device: torch.device) -> None:
    """Raise `UserError` if an optimizer cannot take the steps of this training."""
    module = copy.deepcopy(module).to(device)
    for player, optimizer in zip(PLAYERS, module.configure_optimizers(), strict=True):
        if any(group.get("maximize") for group in optimizer.param_groups):
            raise UserError(
                f"optimizer.{player}.maximize=true would maximise the loss that the {player} has "
                f"to minimise: use optimizer.{player}.maximize=false"
            )
        try:
            take_step(module, [optimizer])
            optimizer.step(lambda: None)  # type: ignore[arg-type] # as Lightning calls it
        except Exception as error:  # of any optimizer of any library
            if is_out_of_memory(error):
                raise
            raise UserError(module.refuse_optimizer(player, "take a step", error)) from error


def take_step(module: GAN, optimizers: Iterable[Optimizer]) -> None:
    """Let optimizers take a step at a gradient of zero."""
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for optimizer in optimizers:
        optimizer.step()
