"""Training steps as CUDA graphs: recorded once, then launched by one call each.

A step of a small model consists of several hundred short kernels, which take the CPU longer to
launch one by one than the GPU to run. The results are the same, including random numbers: these
depend on the state of torch's generator at launch, as they do without a graph.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from anime_dcgan.game.step import Metrics
from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError, first_line

EAGER_STEPS = 3
"""Eager warm-up steps per kind, so that kernels are chosen and optimizer state exists."""

Inputs = Sequence[Tensor]
"""Tensors of a batch: the images, and their labels if they have any."""
Step = Callable[..., Metrics]
Optimizers = Sequence[LightningOptimizer]
TakeStep = Callable[[Hashable, Step, Inputs, Optimizers], Metrics]


def unsupported_reason(
    trainer: Trainer, ramps: Collection[str] = (), recompute: bool = False
) -> str | None:
    """Return why the steps of this training cannot be recorded; None if they can.

    `ramps` are the names of the settings that change from step to step.
    """
    if trainer.strategy.root_device.type != "cuda":
        return "this training does not run on a CUDA GPU"
    if trainer.world_size > 1:
        return "several processes exchange gradients in each step"
    if precision.scales_gradients(trainer.precision_plugin):
        return f"trainer.precision={trainer.precision} inspects the gradients in each step"
    if recompute:
        return "gan.recompute=true restores the state of the random numbers in backward passes"
    if torch.is_anomaly_enabled():
        return "trainer.detect_anomaly=true inspects each gradient"
    if not all(group.get("fused") for each in trainer.optimizers for group in each.param_groups):
        return "its optimizer is not one of torch's with fused=true"
    if "second_beta" in ramps:
        return "ramps.second_beta changes a constant of the optimizer's kernel in each step"
    return None


def take_eagerly(kind: Hashable, step: Step, inputs: Inputs, optimizers: Optimizers) -> Metrics:
    """Take a training step kernel by kernel, as `StepRecorder.take` does at first."""
    return step(*inputs)


def step_taker(
    trainer: Trainer,
    graphs: bool | None,
    ramps: Collection[str] = (),
    recompute: bool = False,
) -> TakeStep:
    """Return the function that takes the steps of this training: as CUDA graphs or eagerly.

    `graphs` is the setting `gan.cuda_graphs`; True raises `UserError` where that cannot be done.
    """
    reason = unsupported_reason(trainer, ramps, recompute)
    if graphs and reason:
        raise UserError(f"gan.cuda_graphs=true: {reason}; use gan.cuda_graphs=null")
    return take_eagerly if graphs is False or reason else StepRecorder().take


class StepRecorder:
    """Take training steps: the first `EAGER_STEPS` of each kind eagerly, the others as graphs."""

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        self._recordings: dict[Hashable, _Recording] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def take(self, kind: Hashable, step: Step, inputs: Inputs, optimizers: Optimizers) -> Metrics:
        """Run `step(*inputs)` and return its result.

        Parameters:
            kind: steps of the same kind, on batches of the same shape, run the same kernels.
            optimizers: the optimizers stepped by `step`. Lightning counts their steps in hooks,
                which a graph does not call.

        Raises `UserError` if the step waits for the GPU, so that it cannot be recorded.
        """
        kind = (kind, *(each.shape for each in inputs))
        if kind in self._recordings:
            for optimizer in optimizers:
                optimizer._on_before_step()
                optimizer._on_after_step()
        elif self._taken[kind] < EAGER_STEPS:
            self._taken[kind] += 1
            return step(*inputs)
        else:
            self._recordings[kind] = _Recording(step, inputs, optimizers, self._pool)
        return self._recordings[kind].launch(inputs)


class _Recording:
    """CUDA graph of one kind of step; recording it runs nothing.

    All recordings share one memory pool, as launches never overlap; results are copied out of it.
    """

    def __init__(self, step: Step, inputs: Inputs, optimizers: Optimizers, pool: Any) -> None:
        self._inputs = [each.clone() for each in inputs]
        self._groups = [group for each in optimizers for group in each.param_groups]
        self._lrs = [torch.tensor(group["lr"], device=inputs[0].device) for group in self._groups]
        self._lr_values = [group["lr"] for group in self._groups]
        self._graph = torch.cuda.CUDAGraph()
        try:
            with (
                self._lrs_as_tensors(),
                torch.cuda.graph(self._graph, pool, capture_error_mode="thread_local"),
            ):
                metrics = step(*self._inputs)
                self._names = list(metrics)
                self._values = torch.stack([value.float() for value in metrics.values()])
        except RuntimeError as error:
            raise UserError(
                f"this training step cannot be recorded as a CUDA graph ({first_line(error)}): "
                "use gan.cuda_graphs=false"
            ) from error

    def launch(self, inputs: Inputs) -> Metrics:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        for index, group in enumerate(self._groups):
            if group["lr"] != self._lr_values[index]:
                self._lr_values[index] = group["lr"]
                self._lrs[index].fill_(group["lr"])
        self._graph.replay()
        return dict(zip(self._names, self._values.clone().unbind(), strict=True))

    @contextmanager
    def _lrs_as_tensors(self) -> Iterator[None]:
        """Make learning rates tensors, which a graph reads at launch; checkpoints keep numbers."""
        for group, lr in zip(self._groups, self._lrs, strict=True):
            group["lr"] = lr
            if "capturable" in group:
                group["capturable"] = True
        try:
            yield
        finally:
            for group, lr in zip(self._groups, self._lr_values, strict=True):
                group["lr"] = lr
                if "capturable" in group:
                    group["capturable"] = False
