"""How the C library keeps the memory that a training frees in a step and asks for in the next."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def retain_freed_memory() -> None:
    """Let this process keep the memory that it frees, instead of handing it to the system.

    glibc maps each large block anew, and the system clears it page by page: of the report's pair
    that is a tenth to a sixth of a step on a CPU (benchmarks/results/training.md). The peak stays
    the same. Other C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
