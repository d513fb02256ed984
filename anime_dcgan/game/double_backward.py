"""Gradients of a network with respect to its input that can be differentiated again cheaply.

Gradient penalties differentiate the input gradient with respect to the weights. The gradients of
convolutions and leaky ReLUs depend on their input only through signs, but torch's second derivative
still propagates zeros to the input, which costs a whole backward pass through the network. The
functions below propagate nothing. They also write the gradient of a convolution as a transposed
convolution, whose own gradients are faster than the second derivative of a convolution.

Both take for granted that the weights do not depend on the input. Convolutions whose weights are
computed from it keep torch's own gradients, and so do all other layers: the results are those of
torch for every network, but only leaky ReLUs and convolutions with weights of their own are faster.

On a CPU a penalty takes half of the time that it takes with torch's own second derivative
(benchmarks/results/training.md).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import Node
from torch.nn import functional as F

from anime_dcgan.model.recompute import RepeatedMode

Network = Callable[[Tensor], Tensor]
"""Maps inputs to one number each, or one a head; a module, or a function of one."""


def input_gradient(network: Network, inputs: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    """Return d sum(network(x)) / dx at `inputs`; see `outputs_and_input_gradient`."""
    return outputs_and_input_gradient(network, inputs)[1]


def outputs_and_input_gradient(
    network: Network, inputs: Float[Tensor, "n ..."]
) -> tuple[Float[Tensor, " n *heads"], Float[Tensor, "n ..."]]:
    """Return network(x) and d sum(network(x)) / dx at `inputs`.

    Both are differentiable with respect to the network's weights, and with respect to whatever
    `inputs` are computed from, if they require a gradient.
    """
    if not inputs.requires_grad:
        inputs = inputs.detach().requires_grad_(True)
    with torch.enable_grad():
        with (fast := _FastGradients(inputs)):
            outputs = network(inputs)
        with fast.input_only():
            (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
    return outputs, gradient


class _FastGradients(RepeatedMode):
    """Replace convolutions and leaky ReLUs that are called in this context by those below."""

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.needs_only_input = False
        self._source = _node(inputs)

    @contextmanager
    def input_only(self) -> Iterator[None]:
        """Compute no gradients of weights inside this context."""
        self.needs_only_input = True
        try:
            yield
        finally:
            self.needs_only_input = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        replacement = {F.conv2d: self._conv2d, F.leaky_relu: _leaky_relu}.get(func, func)
        return replacement(*args, **(kwargs or {}))

    def _conv2d(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> Tensor:
        if isinstance(padding, str) or input.ndim != 4 or self._comes_from_input(weight, bias):
            return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
        pairs = (_pair(stride), _pair(padding), _pair(dilation))
        return _Conv2d.apply(input, weight, bias, *pairs, groups, self)

    def _comes_from_input(self, *weights: Tensor | None) -> bool:
        """Return True if any of these weights is computed from the input of the network."""
        pending = [weight.grad_fn for weight in weights if weight is not None]
        known = set()
        while pending:
            node = pending.pop()
            if node is self._source:
                return True
            if node is not None and node not in known:
                known.add(node)
                pending += [before for before, _ in node.next_functions]
        return False


def _node(tensor: Tensor) -> Node:
    """Return the node of the graph that stands for a tensor with gradient."""
    view = tensor.view_as(tensor).grad_fn
    assert view is not None
    node = view.next_functions[0][0]
    assert node is not None
    return node


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    if negative_slope < 0:
        return F.leaky_relu(input, negative_slope, inplace)
    return _LeakyReLU.apply(input, negative_slope, inplace)


class _Conv2d(torch.autograd.Function):
    """Convolution that computes its input gradient only, as a transposed one, where `mode` does."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
        mode: _FastGradients,
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.mode = mode
        ctx.geometry = (stride, padding, dilation, groups)
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        input, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        others = (None,) * 5
        if ctx.mode.needs_only_input:
            output_padding = [  # trailing pixels that no kernel position reached
                (size + 2 * p - d * (k - 1) - 1) % s
                for size, p, d, k, s in zip(
                    input.shape[2:], padding, dilation, weight.shape[2:], stride, strict=True
                )
            ]
            input_gradient = F.conv_transpose2d(
                gradient, weight, None, stride, padding, output_padding, groups, dilation
            )
            return input_gradient, None, None, *others
        needed = ctx.needs_input_grad[:3]
        gradients = torch.ops.aten.convolution_backward(
            gradient,
            input,
            weight,
            [len(weight)],
            stride,
            padding,
            dilation,
            False,
            [0, 0],
            groups,
            needed,
        )
        return *gradients, *others


class _LeakyReLU(torch.autograd.Function):
    """Leaky ReLU whose gradient, being piecewise constant, propagates nothing to its input."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, slope: float, inplace: bool) -> Tensor:
        output = F.leaky_relu(input, slope, inplace)
        if inplace:
            ctx.mark_dirty(output)
        # the output has the sign of the input, and the next layer keeps it anyway
        ctx.save_for_backward(output)
        ctx.slope = slope
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (output,) = ctx.saved_tensors
        own = torch.ops.aten.leaky_relu_backward(gradient, output.detach(), ctx.slope, True)
        return own, None, None
