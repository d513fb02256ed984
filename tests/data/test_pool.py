"""Work in processes, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

LET_GO = """
from anime_dcgan.data.pool import in_order

def large(part):
    return bytes(32 * 2**20)

if __name__ == "__main__":
    results = in_order(large, range(100), 2, "workers")
    next(results)
    results.close()
"""


def test_workers_that_hand_back_large_results_can_be_let_go(tmp_path: Path):
    script = tmp_path / "let_go.py"
    script.write_text(LET_GO)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(3):
        subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=20)
