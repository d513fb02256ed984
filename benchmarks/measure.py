"""What the measurements share: sides that take turns in processes of their own, and the machine.

Libraries are imported where they are needed: processes that decode import this module anew.
"""

import contextlib
import multiprocessing
import os
import platform
import re
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

from anime_dcgan.data.drawn import DrawnFaces
from anime_dcgan.system.paths import CONF_DIR

if TYPE_CHECKING:
    import torch
    from omegaconf import DictConfig

P = ParamSpec("P")
T = TypeVar("T")

MATRIX = 4096
DRAWN_TOGETHER = 250
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns in a new process: no side inherits memory or threads of another."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args, **kwargs).result()


def take_turns(
    sides: Mapping[str, Callable[[], float]], rounds: int, unit: str
) -> dict[str, list[float]]:
    """Measure all sides in each round, one after the other, and print what they give."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            figures[name].append(side())
        row = "  ".join(f"{name} {values[-1]:9.2f}" for name, values in figures.items())
        print(f"round {number + 1}: {row} {unit}", flush=True)
    return figures


def write_faces(folder: Path, count: int, size: int = 64) -> None:
    """Drawn faces of `size` px as JPEG files in `folder/faces`, by all cores."""
    place = folder / "faces"
    place.mkdir(parents=True)
    write = partial(_write_face, place, DrawnFaces(count), size)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(write, range(count), chunksize=DRAWN_TOGETHER))


def _write_face(place: Path, faces: DrawnFaces, size: int, index: int) -> None:
    faces.read(index, size).save(place / f"{index:06d}.jpg", quality=90)


def ratio(of: list[float], to: list[float]) -> float:
    """The median of the ratios within each round, in which both sides met the same machine."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def seconds(function: Callable[[], object]) -> float:
    """That one call takes."""
    start = now()
    function()
    return now() - start


def now() -> float:
    """Seconds on a clock, once a GPU has done all that it was given."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def matrix_product(dtype: "torch.dtype", device: str = "cpu") -> float:
    """FLOP/s of the product of two square matrices of `MATRIX`, median of several."""
    import torch

    left = torch.randn(MATRIX, MATRIX, device=device).to(dtype)
    right = torch.randn(MATRIX, MATRIX, device=device).to(dtype)
    torch.matmul(left, right)
    taken = [seconds(lambda: torch.matmul(left, right)) for _ in range(7)]
    return 2 * MATRIX**3 / statistics.median(taken)


class Busy:
    """Asks a GPU, while the block runs, how much of the last moments some kernel ran on it."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Busy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def tell(self) -> None:
        """Print the median, where there is a GPU and nvidia-ml-py."""
        if self.shares:
            print(f"GPU busy {statistics.median(self.shares):.0%} of the time", flush=True)

    def _ask(self) -> None:
        import torch

        while not self._over.wait(0.5):
            if torch.cuda.is_initialized():
                with contextlib.suppress(ImportError, RuntimeError):
                    self.shares.append(torch.cuda.utilization() / 100)


def memory(field: Literal["VmRSS", "VmHWM"], process: int | None = None) -> float:
    """Resident memory of a process (of this one), now or at its peak, MiB. Linux only."""
    status = Path(f"/proc/{process or 'self'}/status").read_text()
    (size,) = re.findall(rf"{field}:\s+(\d+) kB", status)
    return int(size) / 1024


def compose_train(overrides: list[str]) -> "DictConfig":
    """What `train` would be configured with."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("train", overrides=overrides)


def machine(device: str = "cpu") -> str:
    """Processor, its instruction sets that matter here, threads, versions and date."""
    import torch

    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA")
    hidden = [f"ONEDNN_MAX_CPU_ISA={allowed}"] if allowed else []
    packages = [f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    return ", ".join(
        [
            *([torch.cuda.get_device_name()] if device == "cuda" else []),
            _processor(),
            f"{torch.get_num_threads()} threads",
            *hidden,
            *packages,
            time.strftime("%F"),
        ]
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"model name\s*: (.*)", text)
    flags = re.search(r"flags\s*: (.*)", text)
    known = [flag for flag in INSTRUCTIONS if flags and flag in flags.group(1).split()]
    return f"{name.group(1) if name else platform.machine()} ({' '.join(known)})"
