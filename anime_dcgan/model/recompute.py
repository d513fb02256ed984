"""Activation checkpointing: Chen et al. 2016, arXiv 1604.06174.

A part of a network that recomputes keeps its inputs only, and computes its activations again in the
backward pass. The results are the same bit by bit: the second computation draws the same random
numbers, and it works on the buffers of the first one, so that statistics of batch normalisation and
the power iteration of spectral normalisation advance once.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

SEGMENT = 2  # activations of a `Stack` that are computed between two maps that are kept


class RepeatedMode(TorchFunctionMode):
    """A mode in which a second computation replaces the same functions as the first one.

    Torch offers no public list of the modes in use, so these keep one of their own. It is the same
    for all threads: the backward pass of a GPU runs in another thread, while this one waits.
    """

    _active: ClassVar[list["RepeatedMode"]] = []

    def __enter__(self) -> "RepeatedMode":
        super().__enter__()
        self._active.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        self._active.remove(self)
        super().__exit__(*error)

    @classmethod
    def active(cls) -> tuple["RepeatedMode", ...]:
        """Return the modes in use, from the outermost on."""
        return tuple(cls._active)


class Recomputable(nn.Module):
    """A module that can compute its activations again instead of keeping them.

    Attributes:
        recomputes: True if it does so in training mode.
    """

    recomputes: bool = False

    def keep_inputs(self, part: Callable[..., Tensor], *inputs: Any) -> Tensor:
        """Return part(*inputs), a computation of this module that keeps these inputs only.

        It must not change its inputs in place.
        """
        if not (self.recomputes and self.training and torch.is_grad_enabled()):
            return part(*inputs)
        return checkpoint(
            part, *inputs, use_reentrant=False, context_fn=lambda: _contexts(self.modules())
        )


class Block(Recomputable):
    """A module that keeps its inputs only, if it recomputes."""

    def __call__(self, *inputs: Any) -> Tensor:
        return self.keep_inputs(super().__call__, *inputs)


class Stack(Recomputable, nn.Sequential):
    """Layers one after the other that keep the maps after every second activation only.

    Those with an attribute `is_conditional` that is True are given the conditions, too.
    """

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        if isinstance(part, Stack):
            part.recomputes = self.recomputes
            part.training = self.training
        return part

    def forward(self, input: Tensor, *conditions: Tensor) -> Tensor:
        if not self.recomputes:
            return _apply(self, input, *conditions)
        for segment in _segments(self):
            input = self.keep_inputs(partial(_apply, segment), input, *conditions)
        return input


def _apply(layers: Iterable[nn.Module], input: Tensor, *conditions: Tensor) -> Tensor:
    for layer in layers:
        is_conditional = getattr(layer, "is_conditional", False)
        input = layer(input, *conditions) if is_conditional else layer(input)
    return input


def set_recompute(network: nn.Module, recomputes: bool) -> None:
    """Let all parts of a network that can do so recompute their activations, or keep them."""
    for module in network.modules():
        if isinstance(module, Recomputable):
            module.recomputes = recomputes


def _segments(layers: Iterable[nn.Module]) -> Iterator[list[nn.Module]]:
    """Split layers after activations, which may change their inputs in place."""
    segment: list[nn.Module] = []
    activations = 0
    for layer in layers:
        segment.append(layer)
        activations += isinstance(layer, nn.ReLU | nn.LeakyReLU)
        if activations == SEGMENT:
            yield segment
            segment, activations = [], 0
    if segment:
        yield segment


def _contexts(
    modules: Iterable[nn.Module],
) -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """Return the contexts of the first computation and of those that repeat it."""
    return nullcontext(), _AsBefore(modules)


class _AsBefore(AbstractContextManager["_AsBefore"]):
    """Compute with the present buffers, and in the `RepeatedMode`s of the present.

    The buffers of the time of use are exchanged, not overwritten: the graph may refer to them.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modes = RepeatedMode.active()
        self._buffers = [
            (module._buffers, name, buffer.clone())
            for module in modules
            for name, buffer in module.named_buffers(recurse=False)
        ]
        self._undo = ExitStack()

    def __enter__(self) -> "_AsBefore":
        for owner, name, buffer in self._buffers:
            self._undo.callback(owner.__setitem__, name, owner[name])
            owner[name] = buffer.clone()
        for mode in self._modes:
            if mode not in RepeatedMode.active():
                self._undo.enter_context(mode)
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()
