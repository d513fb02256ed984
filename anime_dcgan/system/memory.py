"""Memory that this process may still take, and errors of allocations that failed."""

import contextlib
import math
import sys
from pathlib import Path

from anime_dcgan.system.errors import UserError

GIGABYTE = 1e9
CGROUP = Path("/sys/fs/cgroup")
ALLOCATION_FAILED = (
    *("out of memory", "can't allocate memory", "not enough memory", "std::bad_alloc"),
    *("cannot allocate memory", "failed to map segment", "can't start new thread"),
    "unable to mmap",
)
"""Parts of the messages of errors of other types that report a failed allocation.

torch raises RuntimeError, the system OSError, and the loader of libraries ImportError.
"""


def check_memory(needed: float, subject: str, fix: str) -> None:
    """Raise `UserError` if an array would need more bytes than are free.

    >>> check_memory(1e18, "n=1000", "use n=10")
    Traceback (most recent call last):
    anime_dcgan.system.errors.UserError: n=1000 would need 1,000,000,000.0 GB of memory, and ...
    """
    free = free_memory()
    if free is not None and needed > free:
        raise UserError(
            f"{subject} would need {needed / GIGABYTE:,.1f} GB of memory, and "
            f"{free / GIGABYTE:,.1f} GB are free: {fix}"
        )


def reset_peak_memory() -> None:
    """Let `peak_memory` count from now on, where the system can do that."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> int | None:
    """Return the most bytes that this process has occupied; None where the system does not tell."""
    peak = _field(Path("/proc/self/status"), "VmHWM:", 1024)
    if peak is None:
        with contextlib.suppress(ImportError):
            import resource

            unit = 1 if sys.platform == "darwin" else 1024
            peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak


def scaled_batch(images: int, side: int, least: int = 1) -> int:
    """Return the number of images of `side` px that take the memory of `images` of 64 px.

    It is a power of two below `images`, if it is not `images` itself, and never below `least`.

    >>> [scaled_batch(250, side) for side in (32, 64, 128, 256)]
    [250, 250, 32, 8]
    """
    fraction = images * 64**2 / side**2
    return images if side <= 64 else max(least, 1 << int(math.log2(max(1, fraction))))


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an allocation failed, on the CPU or on a GPU."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    kinds = (RuntimeError, OSError, ImportError)
    return isinstance(error, kinds) and any(part in text for part in ALLOCATION_FAILED)


def free_memory() -> int | None:
    """Return the bytes that are free for this process; None where the system does not tell."""
    limits = [_machine(), _container(), _address_space()]
    return min((limit for limit in limits if limit is not None), default=None)


def _machine() -> int | None:
    return _field(Path("/proc/meminfo"), "MemAvailable:", 1024)


def _container() -> int | None:
    """Return what a container's limit leaves; caches of files count as free."""
    with contextlib.suppress(OSError, ValueError):
        limit = int((CGROUP / "memory.max").read_text(encoding="utf-8"))
        used = int((CGROUP / "memory.current").read_text(encoding="utf-8"))
        cached = _field(CGROUP / "memory.stat", "inactive_file", 1) or 0
        return max(0, limit - used + cached)
    return None


def _address_space() -> int | None:
    """Return what `ulimit -v` leaves."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        used = _field(Path("/proc/self/status"), "VmSize:", 1024)
        if limit != resource.RLIM_INFINITY and used is not None:
            return max(0, limit - used)
    return None


def _field(path: Path, name: str, unit: int) -> int | None:
    """Return a number of a file of names and numbers, in bytes."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * unit
    return None
