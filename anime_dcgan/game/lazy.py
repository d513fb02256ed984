"""Lazy regularization: penalties that only some of the steps compute.

StyleGAN2, arXiv 1912.04958, section 3.1. A penalty that is due every `interval` steps is weighted
`interval` times as much, so that its mean over the steps stays the same.
"""

import copy
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

from anime_dcgan.system.errors import UserError


@runtime_checkable
class Penalty(Protocol):
    """A weighted penalty, and the number of steps from one to the next."""

    weight: float | Tensor
    interval: int


P = TypeVar("P", bound=Penalty)


def check_weight(group: str, weight: float, example: float) -> None:
    """Raise `UserError` for a weight that no penalty can have.

    Parameters:
        group: config group of the penalty.
        example: a usual weight.
    """
    if weight < 0:
        raise UserError(
            f"{group}.weight={weight} is negative: use {group}.weight={example:g}, or 0"
        )


def check_interval(group: str, interval: int) -> None:
    """Raise `UserError` if an interval is not a number of steps."""
    if interval < 1:
        raise UserError(
            f"{group}.interval={interval} is not a number of steps: use {group}.interval=1 or more"
        )


def due(penalty: P, step: int) -> P | None:
    """Return the penalty of the step of this index, from 0; None if it is not due.

    A copy shares its state with the original.
    """
    if penalty.interval == 1:
        return penalty
    if step % penalty.interval:
        return None
    weighted = copy.copy(penalty)
    weighted.weight = penalty.interval * penalty.weight
    return weighted
