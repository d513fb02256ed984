"""Training steps as CUDA graphs: recorded once, then launched by one call each.

A step of a small pair is several hundred short kernels, which the processor needs longer to launch
one by one than the GPU to run. What is computed stays the same, random draws included: they come
from the state of torch's generator at the launch, as without a graph.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import UInt8
from lightning import Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from anime_dcgan.system import precision
from anime_dcgan.system.errors import UserError

EAGER_STEPS = 3  # of each kind, in which libraries choose their kernels and optimizers their state

Batch = UInt8[Tensor, "n h w 3"]
Figures = dict[str, Tensor]
Step = Callable[[Batch], Figures]
Stepping = Sequence[LightningOptimizer]
Take = Callable[[Hashable, Step, Batch, Stepping], Figures]


def unsupported_reason(trainer: Trainer) -> str | None:
    """Why the steps of this training cannot be recorded; None where they can."""
    if trainer.strategy.root_device.type != "cuda":
        return "this training does not run on a CUDA GPU"
    if trainer.world_size > 1:
        return "several processes exchange their gradients in each step"
    if precision.scales_gradients(trainer.precision_plugin):
        return f"trainer.precision={trainer.precision} looks at the gradients in each step"
    if torch.is_anomaly_enabled():
        return "trainer.detect_anomaly=true looks at each gradient"
    if not all(group.get("fused") for each in trainer.optimizers for group in each.param_groups):
        return "its optimizer is none of torch's with fused=true"
    return None


def take_eagerly(kind: Hashable, step: Step, batch: Batch, stepping: Stepping) -> Figures:
    """Take a training step kernel by kernel, as `StepRecorder.take` does at first."""
    return step(batch)


def step_taker(trainer: Trainer, graphs: bool | None) -> Take:
    """Return how the steps of this training are taken: as CUDA graphs or eagerly.

    `graphs` is the setting `gan.cuda_graphs`; True raises `UserError` where that cannot be done.
    """
    reason = unsupported_reason(trainer)
    if graphs and reason:
        raise UserError(f"gan.cuda_graphs=true: {reason}; use gan.cuda_graphs=null")
    return take_eagerly if graphs is False or reason else StepRecorder().take


class StepRecorder:
    """Takes training steps: those of a kind as they are at first, then as a graph."""

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        self._recordings: dict[Hashable, _Recording] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def take(self, kind: Hashable, step: Step, batch: Batch, stepping: Stepping) -> Figures:
        """What `step(batch)` does and returns.

        Parameters:
            kind: steps of the same kind, on batches of the same shape, run the same kernels.
            stepping: the optimizers that it steps; Lightning counts their steps, and a graph does
                not tell.

        Raises `UserError` where the step waits for the GPU, so that it cannot be recorded.
        """
        kind = (kind, batch.shape)
        if kind in self._recordings:
            for optimizer in stepping:
                optimizer._on_before_step()
                optimizer._on_after_step()
        elif self._taken[kind] < EAGER_STEPS:
            self._taken[kind] += 1
            return step(batch)
        else:
            self._recordings[kind] = _Recording(step, batch, stepping, self._pool)
        return self._recordings[kind].launch(batch)


class _Recording:
    """One kind of step. Recording it launches nothing.

    All recordings share their memory, since none is launched before the one before it has ended;
    so what a launch returns is copied out of it.
    """

    def __init__(self, step: Step, batch: Batch, stepping: Stepping, pool: Any) -> None:
        self._batch = batch.clone()
        self._groups = [group for each in stepping for group in each.param_groups]
        self._rates = [torch.tensor(group["lr"], device=batch.device) for group in self._groups]
        self._rates_now = [group["lr"] for group in self._groups]
        self._graph = torch.cuda.CUDAGraph()
        try:
            with (
                self._rates_as_tensors(),
                torch.cuda.graph(self._graph, pool, capture_error_mode="thread_local"),
            ):
                figures = step(self._batch)
                self._names = list(figures)
                self._values = torch.stack([value.float() for value in figures.values()])
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"this training step cannot be recorded as a CUDA graph ({reason}): "
                "use gan.cuda_graphs=false"
            ) from error

    def launch(self, batch: Batch) -> Figures:
        self._batch.copy_(batch)
        for index, group in enumerate(self._groups):
            if group["lr"] != self._rates_now[index]:
                self._rates_now[index] = group["lr"]
                self._rates[index].fill_(group["lr"])
        self._graph.replay()
        return dict(zip(self._names, self._values.clone().unbind(), strict=True))

    @contextmanager
    def _rates_as_tensors(self) -> Iterator[None]:
        """So that a graph reads the rates when it is launched; checkpoints see numbers."""
        for group, rate in zip(self._groups, self._rates, strict=True):
            group["lr"] = rate
            if "capturable" in group:
                group["capturable"] = True
        try:
            yield
        finally:
            for group, rate in zip(self._groups, self._rates_now, strict=True):
                group["lr"] = rate
                if "capturable" in group:
                    group["capturable"] = False
