"""Networks on the meta device, whose weights come from a file."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

DRAW_IN_PLACE = (Tensor.normal_, Tensor.uniform_)


@contextlib.contextmanager
def uninitialised() -> Iterator[None]:
    """Build networks without storage, and without drawing the initial weights."""
    with torch.device("meta"), _WithoutDrawing():
        yield


class _WithoutDrawing(TorchFunctionMode):
    """Skips random numbers: on the meta device, torch imports its compiler for them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in DRAW_IN_PLACE or getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)
