"""Shared tools of the benchmarks: alternating measurements, and a description of the machine.

Heavy libraries are imported inside functions, because processes that decode import this module.
"""

import contextlib
import multiprocessing
import os
import platform
import re
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
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

MATRIX_SIZE = 4096
CHUNK = 250
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def parse_options(
    defaults: Mapping[str, str], argv: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Return the options of a benchmark, `name=value`, and the other arguments in order."""
    pairs = [argument.partition("=") for argument in argv]
    options = {name: value for name, _, value in pairs if name in defaults}
    others = ["".join(pair) for pair in pairs if pair[0] not in defaults]
    return {**defaults, **options}, others


def in_new_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function in a new process, so that measurements do not share memory or threads."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args, **kwargs).result()


def alternate(
    sides: Mapping[str, Callable[[], float]], rounds: int, unit: str
) -> dict[str, list[float]]:
    """Measure every side once per round, print the results, and return them by side."""
    results: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            results[name].append(side())
        row = "  ".join(f"{name} {values[-1]:9.2f}" for name, values in results.items())
        print(f"round {number + 1}: {row} {unit}", flush=True)
    return results


def write_faces(folder: Path, count: int, size: int = 64) -> None:
    """Write synthetic faces of `size` px as JPEG files to `folder/faces`, with all cores."""
    target = folder / "faces"
    target.mkdir(parents=True)
    write = partial(_write_face, target, DrawnFaces(count), size)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(write, range(count), chunksize=CHUNK))


def _write_face(folder: Path, faces: DrawnFaces, size: int, index: int) -> None:
    faces.read(index, size).save(folder / f"{index:06d}.jpg", quality=90)


def ratio(results: list[float], baseline: list[float]) -> float:
    """Return the median of the ratios per round, because the load of the machine varies."""
    return statistics.median(a / b for a, b in zip(results, baseline, strict=True))


def now() -> float:
    """Return the time of a monotonic clock in seconds, after synchronising with the GPU."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(function: Callable[[], object], clock: Callable[[], float] = now) -> float:
    """Return the duration of one call, in seconds."""
    start = clock()
    function()
    return clock() - start


def matrix_product(
    dtype: "torch.dtype", device: str = "cpu", clock: Callable[[], float] | None = None
) -> float:
    """Return the FLOP/s of a product of two square matrices of `MATRIX_SIZE`, the median of 7.

    `clock` returns the time in seconds; None is that on the clock, see `now`.
    """
    import torch

    left = torch.randn(MATRIX_SIZE, MATRIX_SIZE, device=device).to(dtype)
    right = torch.randn(MATRIX_SIZE, MATRIX_SIZE, device=device).to(dtype)
    torch.matmul(left, right)
    durations = [seconds(lambda: torch.matmul(left, right), clock or now) for _ in range(7)]
    return 2 * MATRIX_SIZE**3 / statistics.median(durations)


class GPUUsage:
    """Sample the utilisation of the GPU while the block runs."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "GPUUsage":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        self._thread.join()

    def report(self) -> None:
        """Print the median utilisation; prints nothing without a GPU and nvidia-ml-py."""
        if self.samples:
            print(f"GPU busy {statistics.median(self.samples):.0%} of the time", flush=True)

    def _sample(self) -> None:
        import torch

        while not self._finished.wait(0.5):
            if torch.cuda.is_initialized():
                with contextlib.suppress(ImportError, RuntimeError):
                    self.samples.append(torch.cuda.utilization() / 100)


def memory(field: Literal["VmRSS", "VmHWM"], process: int | None = None) -> float:
    """Return the resident memory of a process (default: this one), now or at its peak, in MiB.

    Linux only.
    """
    status = Path(f"/proc/{process or 'self'}/status").read_text()
    (size,) = re.findall(rf"{field}:\s+(\d+) kB", status)
    return int(size) / 1024


def compose_train(overrides: list[str]) -> "DictConfig":
    """Return the configuration of `train` with these overrides."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("train", overrides=overrides)


def machine(device: str = "cpu") -> str:
    """Return the processor, its relevant instruction sets, threads, versions and the date."""
    import torch

    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA")
    limit = [f"ONEDNN_MAX_CPU_ISA={allowed}"] if allowed else []
    packages = [f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    return ", ".join(
        [
            *([torch.cuda.get_device_name()] if device == "cuda" else []),
            _processor(),
            f"{torch.get_num_threads()} threads",
            *limit,
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
    available = [flag for flag in INSTRUCTIONS if flags and flag in flags.group(1).split()]
    return f"{name.group(1) if name else platform.machine()} ({' '.join(available)})"
