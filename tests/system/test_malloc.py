"""Freed memory stays with the process."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, numpy as np
from anime_dcgan.system.malloc import retain_freed_memory
if {keep}:
    retain_freed_memory()
def faults():
    np.ones(64 * 2**20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
faults()
before = faults()
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="getrusage counts page faults")
def test_a_freed_block_is_not_cleared_again():
    def page_faults(keep: bool) -> int:
        program = PROGRAM.format(keep=keep)
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        return int(run.stdout)

    if page_faults(keep=False) == 0:
        pytest.skip("this C library retains freed memory by default")
    assert page_faults(keep=True) == 0
