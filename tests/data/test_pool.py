"""Worker processes and how they end."""

import os
import subprocess
import sys
from pathlib import Path

CLOSE_EARLY = """
from anime_dcgan.data.pool import in_order

def large(part):
    return bytes(32 * 2**20)

if __name__ == "__main__":
    results = in_order(large, range(100), 2, "workers")
    next(results)
    results.close()
"""


def test_a_pool_of_large_results_can_be_closed_early(tmp_path: Path):
    script = tmp_path / "close_early.py"
    script.write_text(CLOSE_EARLY)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(3):
        subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=20)
