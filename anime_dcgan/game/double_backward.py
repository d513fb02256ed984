"""The gradient of a network in its input, which is to be differentiated once more in its weights.

So the penalties on a critic's slope are trained. The gradient of a convolution or a leaky ReLU does
not depend on its input but for the sides of zero on which the values lie. Torch's second derivative
hands zeros down to the input all the same, and with them goes a whole backward pass through the
network; here nothing is handed down. The gradient of a convolution is written as a transposed
convolution besides, whose own gradients are faster than the second derivative of a convolution.

On a CPU a penalty takes half of the time that it took with torch's own second derivative
(benchmarks/results/training.md).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


def input_gradient(network: nn.Module, inputs: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    """d sum(network(x)) / d x at `inputs`, differentiable in the network's weights.

    Any network will do; layers that are not known here are differentiated by torch.
    """
    inputs = inputs.detach().requires_grad_(True)
    with torch.enable_grad():
        with _OwnGradients():
            outputs = network(inputs)
        (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
    return gradient


class _OwnGradients(TorchFunctionMode):
    """Convolutions and leaky ReLUs that are called meanwhile have the gradients below."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        own = {F.conv2d: _conv2d, F.leaky_relu: _leaky_relu}.get(func, func)
        return own(*args, **(kwargs or {}))


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    numbers = (_pair(stride), _pair(padding), _pair(dilation))
    return _Conv2d.apply(input, weight, bias, *numbers, groups)


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    if negative_slope < 0:
        return F.leaky_relu(input, negative_slope)
    return _LeakyReLU.apply(input, negative_slope)


class _Conv2d(torch.autograd.Function):
    """A convolution. While a gradient is being recorded, it has that of its input alone."""

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
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.numbers = (stride, padding, dilation, groups)
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        input, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.numbers
        others = (None,) * 4
        if torch.is_grad_enabled():
            cut_off = [  # pixels at the end that no kernel reached
                (size + 2 * border - step * (kernel - 1) - 1) % move
                for size, border, step, kernel, move in zip(
                    input.shape[2:], padding, dilation, weight.shape[2:], stride, strict=True
                )
            ]
            of_input = F.conv_transpose2d(
                gradient, weight, None, stride, padding, cut_off, groups, dilation
            )
            return of_input, None, None, *others
        needed = ctx.needs_input_grad[:3]
        found = torch.ops.aten.convolution_backward(
            *(gradient, input, weight, [len(weight)], stride, padding, dilation),
            *(False, [0, 0], groups, needed),
        )
        return *found, *others


class _LeakyReLU(torch.autograd.Function):
    """Its gradient is one of two constants, and has none itself but in what is handed back."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, slope: float) -> Tensor:
        output = F.leaky_relu(input, slope)
        ctx.save_for_backward(output)  # of the input's sign, and the next layer keeps it anyway
        ctx.slope = slope
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (output,) = ctx.saved_tensors
        return torch.ops.aten.leaky_relu_backward(gradient, output.detach(), ctx.slope, True), None
