"""Settings of glibc's malloc for training, whose steps free and reallocate the same blocks."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def retain_freed_memory() -> None:
    """Let this process keep the memory that it frees instead of returning it to the system.

    By default glibc maps every large block again, and the kernel clears it page by page, which
    takes a tenth to a sixth of a training step of `model=dcgan` on a CPU
    (benchmarks/results/training.md). Peak memory stays the same; other C libraries are unaffected.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
