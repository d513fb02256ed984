"""Ramps: settings that move from one value to another with the images seen, as in R3GAN.

Like learning-rate schedules they are stateless. The paper (arXiv 2501.05441) lets the second beta
of Adam, the weight of its penalty, the half-life of the average and the probability of augmentation
follow half a cosine; its learning rate does the same with `schedule=cosine schedule.final=0.25`.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from anime_dcgan.game.augment import Augment, Occasional
from anime_dcgan.game.regularizer import Regularizer, WeightedPenalty
from anime_dcgan.system.errors import UserError
from anime_dcgan.training.schedule import Cosine

Span = Sequence[float]
"""The two values at the start and at the end of a ramp."""

LIMITS = {"second_beta": (0.0, 1.0), "augment_probability": (0.0, 1.0)}
"""Ranges of the values; those of the others have no upper end."""


class Ramps:
    """Half cosines from a start to an end value, each in place of a constant setting.

    Parameters:
        total_kimg: length of the ramps, in thousands of images from the start of the training; the
            values then stay as they are.
        second_beta: ramp of `optimizer.betas[1]`, for both players.
        penalty_weight: ramp of `regularizer.weight`.
        ema_halflife_kimg: ramp of `gan.ema_halflife_kimg`.
        augment_probability: ramp of `augment.probability`.
    """

    def __init__(
        self,
        total_kimg: float | None = None,
        second_beta: Span | None = None,
        penalty_weight: Span | None = None,
        ema_halflife_kimg: Span | None = None,
        augment_probability: Span | None = None,
    ) -> None:
        spans = {
            "second_beta": second_beta,
            "penalty_weight": penalty_weight,
            "ema_halflife_kimg": ema_halflife_kimg,
            "augment_probability": augment_probability,
        }
        self.spans = {name: list(span) for name, span in spans.items() if span is not None}
        for name, span in self.spans.items():
            _check_span(name, span)
        if self.spans and (total_kimg is None or total_kimg <= 0):
            raise UserError(
                f"ramps.total_kimg={'null' if total_kimg is None else total_kimg} gives the ramps "
                "no length: use max_kimg=300, or ramps.total_kimg=300"
            )
        self._schedule = Cosine(total_kimg or 1.0)

    def values(self, images_seen: int) -> dict[str, float]:
        """Return the value of each ramped setting after `images_seen` real images, by name."""
        remaining = self._schedule.factor(images_seen)
        return {name: end + remaining * (start - end) for name, (start, end) in self.spans.items()}

    def check(self, regularizer: Regularizer, augment: Augment) -> None:
        """Raise `UserError` for a ramp of a setting that this game does not have."""
        if "penalty_weight" in self.spans and not isinstance(regularizer, WeightedPenalty):
            raise self._without_effect(
                "penalty_weight", "the regularizer has no weight", "regularizer=r1_r2"
            )
        if "augment_probability" in self.spans and not isinstance(augment, Occasional):
            raise self._without_effect(
                "augment_probability",
                "the augmentation has no probability that could be set",
                "augment=ada_fixed",
            )

    def check_optimizers(self, optimizers: Iterable[Optimizer]) -> None:
        """Raise `UserError` if the second beta is ramped and an optimizer has none."""
        for optimizer in optimizers:
            if "second_beta" in self.spans and len(optimizer.defaults.get("betas", ())) < 2:
                name = type(optimizer).__name__
                raise self._without_effect("second_beta", f"{name} has none", "optimizer=adam")

    def _without_effect(self, name: str, reason: str, fix: str) -> UserError:
        setting = f"ramps.{name}={self.spans[name]}"
        return UserError(f"{setting} has no effect, because {reason}: use {fix}, or {name}=null")


def apply_ramps(
    values: dict[str, float],
    optimizers: Iterable[Optimizer],
    regularizer: Regularizer,
    augment: Augment,
    device: torch.device,
) -> None:
    """Set the values of `Ramps.values` in the parts of the game that use them.

    Weight and probability become tensors, which a CUDA graph reads when it is launched.
    """
    if "second_beta" in values:
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                first, _, *others = group["betas"]
                group["betas"] = (first, values["second_beta"], *others)
    if "penalty_weight" in values:
        _fill(regularizer, "weight", values["penalty_weight"], device)
    if "augment_probability" in values:
        _fill(augment, "probability", values["augment_probability"], device)


def _fill(owner: object, name: str, value: float, device: torch.device) -> None:
    """Set an attribute to a tensor of that value, in place if it is one already."""
    current = getattr(owner, name)
    if isinstance(current, Tensor) and current.device == device:
        current.fill_(value)
    else:
        setattr(owner, name, torch.full((), value, device=device))


def _check_span(name: str, span: list[float]) -> None:
    low, high = LIMITS.get(name, (0.0, float("inf")))
    inside = all(low <= value <= high for value in span)
    if len(span) != 2 or not inside or (name == "second_beta" and 1 in span):
        raise UserError(
            f"ramps.{name}={span} is not a start and an end in [{low:g}, {high:g}]: "
            f"use ramps.{name}=null for no ramp"
        )
