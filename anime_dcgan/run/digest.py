"""Hash of a generator's weights, by which faces name it whatever its run and epoch are called."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

DIGEST_LENGTH = 20  # hexadecimal digits: nobody finds a second generator with the same 80 bits


def digest_of(settings: Any, state: Mapping[str, Tensor]) -> str:
    """Return the digest of a generator with these settings, weights and buffers.

    The weights are rounded to 16 bits first, so that a generator has the same digest whether it is
    stored in 32 bits or in 16.
    """
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(state.items()):
        rounded = tensor.detach().half() if tensor.is_floating_point() else tensor.detach()
        found.update(f"{name} {rounded.dtype} {tuple(rounded.shape)}".encode())
        found.update(rounded.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()[:DIGEST_LENGTH]
